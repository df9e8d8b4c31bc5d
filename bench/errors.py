"""Errors that a user can act on: problem, context and fix in one message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class BenchError(Exception):
    """An error in three parts.

    ``problem`` says what could not be done, ``context`` what was found, ``fix`` what to do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, context: str, fix: str) -> None:
        super().__init__(problem, context, fix)
        self.problem, self.context, self.fix = problem, context, fix

    def __str__(self) -> str:
        return f"{self.problem}\n  {self.context}\n  {self.fix}"


class UserError(BenchError):
    """A mistake of the user: the command line prints the message without a traceback and exits with code 2."""

    exit_code = 2


class DownloadError(UserError):
    """Something could not be downloaded: the command may be right, so its exit code is 1."""

    exit_code = 1


class ImageError(BenchError):
    """An image that cannot be read; it is quarantined with this reason and counted, never replaced."""


def unknown(kind: str, name: str, known: Iterable[str], fix: str = "") -> UserError:
    """The error for a ``name`` that is not among the ``known`` names of a ``kind``; suggests the closest one."""
    options = sorted(known)
    close = difflib.get_close_matches(name.lower(), options, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    listed = ", ".join(options) if options else "none"
    return UserError(
        f"There is no {kind} {name!r}.", f"Known: {listed}.", f"{hint}{fix}".strip() or "Name one of these."
    )


def what_is(path: Path) -> str:
    """What a file without weights is instead: ``a Git LFS pointer, …``, ``a web page, …``, ``empty``.

    Returns '' for a file that may hold weights.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if not head:
        return "empty"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer instead of the file (run `git lfs pull` in the repository it came from)"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page instead of weights (the server answered the download with a page)"
    return ""
