"""Folders that a run writes to."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.cli.options import RunOptions
from bench.errors import UserError
from bench.suites.suite import Suite


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
