"""Progress of a process of this package, shown by its parent."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from bench.progress import Progress


class Relay(Progress):
    """Progress of a process, sent to its parent."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._stages = pipe, 0

    def _send(self, message: tuple[Any, ...]) -> None:
        with suppress(OSError):  # The parent no longer listens: no reason to fail the work.
            self._pipe.send(message)

    def note(self, message: str) -> None:
        """Send a note."""
        self._send(("note", message))

    def warn(self, message: str) -> None:
        """Send a warning."""
        self._send(("warn", message))

    def begin(self, title: str, total: int) -> int:
        """Open a stage."""
        self._stages += 1
        self._send(("begin", self._stages, title, total))
        return self._stages

    def advance(self, stage: int, units: int = 1) -> None:
        """Count units of a stage."""
        self._send(("advance", stage, units))

    def end(self, stage: int) -> None:
        """Close a stage."""
        self._send(("end", stage))


def exit_with_parent() -> None:
    """Wait for the parent to end, then end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def relay(pipe: Connection, progress: Progress) -> None:
    """Forward a process's progress until it exits, and close the stages that it left open."""
    stages: dict[int, int] = {}
    with suppress(EOFError, OSError):
        while True:
            message = pipe.recv()
            with suppress(OSError, KeyError):  # Standard error may be closed; the work goes on.
                _forward(message, stages, progress)
    while stages:
        with suppress(OSError):
            progress.end(stages.popitem()[1])


def _forward(message: Sequence[Any], stages: dict[int, int], progress: Progress) -> None:
    kind, *words = message
    if kind == "begin":
        stages[words[0]] = progress.begin(*words[1:])
    elif kind == "advance":
        progress.advance(stages[words[0]], words[1])
    elif kind == "end":
        progress.end(stages.pop(words[0]))
    elif kind == "warn":
        progress.warn(*words)
    else:
        progress.note(*words)
