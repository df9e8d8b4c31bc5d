"""List the image files below a folder, and count all other entries by kind. Symbolic links are followed, not loops."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.decode import HEAD, kind_of

#: Suffixes by which a file counts as an image without being opened. Files with other suffixes are opened.
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
    """The image files in order, unreadable ones included, and the number of skipped entries by kind (``passed``).

    The kind of a folder that was not entered contains its path and, if it is unreadable, the reason.
    """

    files: tuple[Path, ...]
    passed: Mapping[str, int] = field(default_factory=dict)

    def joined(self, other: Listing) -> Listing:
        """Both listings, this one first, with their counts added."""
        return Listing((*self.files, *other.files), dict(Counter(self.passed) + Counter(other.passed)))


def printable(path: Path) -> str:
    """A path as one line of text; bytes that are not UTF-8 and control characters become backslash escapes."""
    text = os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def describe(passed: Mapping[str, int]) -> str:
    """``3 .txt files, 1 hidden file``; the plural's ``s`` comes before a detail in brackets."""
    counts = []
    for kind, count in sorted(passed.items()):
        noun, bracket, detail = kind.partition(" (")
        counts.append(f"{count} {noun}{'' if count == 1 else 's'}{bracket}{detail}")
    return ", ".join(counts)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted. Links to folders are included, hidden and resource-fork folders are not."""
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.name != _RESOURCES and _is_folder(e)]
    except OSError:
        return []
    return sorted(folder / name for name in names)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def named(folder: Path, name: str) -> list[Path]:
    """The folders in a folder that are called ``name``, ignoring case."""
    return [path for path in subfolders(folder) if path.name.casefold() == name.casefold()]


def below(folder: Path, name: str) -> list[Path]:
    """All folders called ``name``, ignoring case, at any depth below a folder; links are followed, loops are not."""
    return sorted(path for path in _folders(folder, _above(folder)) if path.name.casefold() == name.casefold())


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _above(folder: Path) -> frozenset[tuple[int, int]]:
    """All folders that contain ``folder``, by its own and by its resolved path: a link to one of them is a loop."""
    return frozenset(_identity(path) for path in (*folder.absolute().parents, *folder.resolve().parents))


def _folders(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    here = above | {_identity(folder)}
    for path in subfolders(folder):
        if _identity(path) not in here:
            yield path
            yield from _folders(path, here)


def _entries(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[tuple[Path | None, str]]:
    """(image file, '') or (None, kind of skipped entry) for everything below a folder."""
    try:
        here = above | {_identity(folder)}
        entries = list(os.scandir(folder))
    except OSError as error:
        yield None, f"unreadable folder ({printable(folder)}: {error.strerror})"
        return
    for entry in entries:
        if _is_folder(entry):
            path = folder / entry.name
            if entry.name.startswith(".") or entry.name == _RESOURCES:
                yield None, "hidden folder"
            elif _identity(path) in here:
                yield None, f"looping link ({printable(path)})"
            else:
                yield from _entries(path, here)
        else:
            yield _file(folder, entry)


def _file(folder: Path, entry: os.DirEntry[str]) -> tuple[Path | None, str]:
    if entry.name.startswith("."):
        return None, "hidden file"
    path = folder / entry.name
    suffix = path.suffix.lower()
    try:
        if not entry.is_file():  # Costs no look at the disk for most entries.
            entry.stat()
            return None, "special file"  # Opening a pipe would block.
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
    """All image files below a folder, sorted by path. Images are recognised by suffix, else by their first bytes.

    A broken link with an image suffix is listed: it counts as an image that cannot be read.
    """
    files, passed = [], Counter[str]()
    for path, kind in _entries(folder, _above(folder)):
        if path is None:
            passed[kind] += 1
        else:
            files.append(path)
    files.sort(key=str)
    return Listing(tuple(files), dict(passed))


def has_image(folder: Path) -> bool:
    """Whether there is an image file below a folder."""
    return any(path is not None for path, _ in _entries(folder, _above(folder)))
