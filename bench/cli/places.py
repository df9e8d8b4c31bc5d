"""Folders that verbs read and write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.cli.run_options import RunOptions
from bench.errors import UserError
from bench.miniature.unpack import unpack
from bench.progress import Progress
from bench.results.folder import Results
from bench.suites.suite import Suite

#: The mistakes of each detector on each test set that the page shows of embedded images.
MISTAKES = 1


def check_writable(option: str, folder: Path) -> None:
    """Raise UserError if files cannot be written to ``folder``; does not create it."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise UserError(
            f"{option} {str(folder)!r} is not writable.",
            f"{type(error).__name__}: {error.strerror}.",
            f"Name a writable folder with {option} DIR.",
        ) from error


def writable_home(suite: Suite, options: RunOptions) -> Path:
    """The results folder. Raises UserError unless it and the store can be written."""
    home = options.results or Path("results") / "runs" / suite.name
    for option, folder in (("--store", options.store), ("--results", home)):
        check_writable(option, folder)
    return home


def image_folders(given: Sequence[str] | None, progress: Progress) -> list[Path]:
    """Folders of images; ``mini`` is the miniature's, which is unpacked. Raises UserError for one that is missing."""
    folders = [unpack(Path("store"), progress) if name == "mini" else Path(name) for name in given or ()]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(
                f"--embed-images {str(folder)!r} is not a folder.",
                "The page would show no image of it.",
                "Name the folder that the run got as --data, or `mini`.",
            )
    return folders


def unpacked(roots: Iterable[Path], store: Path) -> list[Path]:
    """The roots with the miniature's images, which a store holds. A user's own images are not copied into a page."""
    return list(dict.fromkeys(root for root in roots if root.is_relative_to(store / "miniature")))


def mistakes(given: int | None, roots: Sequence[Path]) -> int:
    """How many of each detector's worst mistakes are shown on the page: ``given``, else :data:`MISTAKES` or none.

    ``roots`` are the folders whose images are embedded: a user's own are not copied without being asked for.
    """
    return (MISTAKES if roots else 0) if given is None else given


def several(find: Callable[[str, Path | None], Results], suite: str | None, given: Path | None) -> list[Results]:
    """The results folder that is named, or those in it, as ``reproduce`` of several experiments leaves them."""
    inside = sorted(path.parent for path in given.glob("*/cells.json")) if given and given.is_dir() else []
    if given and inside and not (given / "cells.json").exists():
        return [Results(path) for path in inside]
    return [find(suite or "mini", given)]


def published() -> list[Results]:
    """The results folders under ``results/board``. Raises UserError if there are none."""
    home = Path("results") / "board"
    found = [Results(path.parent) for path in sorted(home.glob("*/methods.json"))]
    if not found:
        raise UserError(
            "There is nothing to verify.",
            f"{home} contains no results here.",
            "Name a folder with --results DIR, or a suite with --suite.",
        )
    return found
