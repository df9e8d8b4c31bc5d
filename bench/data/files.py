"""What lies below a folder: the image files, and everything else counted by kind. Links are followed, loops are not."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.decode import HEAD, kind_of

#: Suffixes that are taken for an image's without a look inside; files with others are looked into.
SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "tif", "tiff", "gif", "avif"),
        *("jp2", "j2k", "ppm", "pgm", "pbm", "heic", "heif"),
    )
)
_RESOURCES = "__MACOSX"


@dataclass(frozen=True)
class Listing:
    """Image files in order, unreadable ones included; what was passed over, by kind; folders not entered, with why."""

    files: tuple[Path, ...]
    passed: Mapping[str, int] = field(default_factory=dict)

    def joined(self, other: Listing) -> Listing:
        """Both."""
        return Listing((*self.files, *other.files), dict(Counter(self.passed) + Counter(other.passed)))


def printable(path: Path) -> str:
    """A path as one line of text; bytes that are not UTF-8, and control characters, as backslash escapes."""
    text = os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def describe(passed: Mapping[str, int]) -> str:
    """``3 .txt files, 1 hidden file``; what stands in brackets after a kind is not counted with it."""
    told = []
    for kind, count in sorted(passed.items()):
        noun, bracket, rest = kind.partition(" (")
        told.append(f"{count} {noun}{'' if count == 1 else 's'}{bracket}{rest}")
    return ", ".join(told)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, links to folders included, sorted; hidden and resource-fork ones left out."""
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    return [p for p in found if not p.name.startswith(".") and p.name != _RESOURCES and _is_folder(p)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def named(folder: Path, name: str) -> list[Path]:
    """The folders in a folder that have a name in any case of letters."""
    return [path for path in subfolders(folder) if path.name.casefold() == name.casefold()]


def below(folder: Path, name: str) -> list[Path]:
    """All folders of a name, in any case of letters, at any depth below a folder; links are followed, loops are not."""
    return sorted(path for path in _folders(folder, _above(folder)) if path.name.casefold() == name.casefold())


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _above(folder: Path) -> frozenset[tuple[int, int]]:
    """The folders that hold a folder, by the way to it and by where it really lies: a link to one of them is a loop."""
    return frozenset(_identity(path) for path in (*folder.absolute().parents, *folder.resolve().parents))


def _folders(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    here = above | {_identity(folder)}
    for path in subfolders(folder):
        if _identity(path) not in here:
            yield path
            yield from _folders(path, here)


def _entries(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[tuple[Path | None, str]]:
    """(image file, '') or (None, kind of what is passed over) of everything below a folder."""
    try:
        here = above | {_identity(folder)}
        found = list(os.scandir(folder))
    except OSError as error:
        yield None, f"closed folder ({printable(folder)}: {error.strerror})"
        return
    for entry in found:
        path = folder / entry.name
        if _is_folder(path):
            if entry.name.startswith(".") or entry.name == _RESOURCES:
                yield None, "hidden folder"
            elif _identity(path) in here:
                yield None, f"looping link ({printable(path)})"
            else:
                yield from _entries(path, here)
        else:
            yield _file(path)


def _file(path: Path) -> tuple[Path | None, str]:
    if path.name.startswith("."):
        return None, "hidden file"
    suffix = path.suffix.lower()
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None, "special file"  # A pipe would be waited for.
    except OSError:
        return (path, "") if suffix in SUFFIXES else (None, "broken link")
    if suffix in SUFFIXES:
        return path, ""
    try:
        with path.open("rb") as file:
            kind = kind_of(file.read(HEAD))
    except OSError:
        return None, "unreadable file"
    return (path, "") if kind else (None, f"{suffix} file" if suffix else "unrecognised file")


def list_images(folder: Path) -> Listing:
    """Every image file below a folder, sorted by path: by suffix in any case, or by what its first bytes say.

    A link that leads nowhere is listed where it has an image's suffix: it is an image that cannot be read.
    """
    files, passed = [], Counter[str]()
    for path, kind in _entries(folder, _above(folder)):
        if path is None:
            passed[kind] += 1
        else:
            files.append(path)
    files.sort(key=lambda path: path.relative_to(folder).as_posix())
    return Listing(tuple(files), dict(passed))


def has_image(folder: Path) -> bool:
    """Whether there is an image file below a folder."""
    return any(path is not None for path, _ in _entries(folder, _above(folder)))
