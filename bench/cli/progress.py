"""Progress on standard error: bars with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from bench.progress import Progress

_EVERY = 15.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class TerminalProgress(Progress):
    """Bars, one a stage, gone when the stage ends."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        self._bars = Bars(*columns, console=self._console, transient=True)
        self._open: list[int] = []

    def note(self, message: str) -> None:
        """One line above the bars."""
        self._console.print(escape(message), style="dim", highlight=False)

    def warn(self, message: str) -> None:
        """One line above the bars, in yellow."""
        self._console.print(escape(message), style="yellow", highlight=False)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[None]:
        """A bar."""
        if not self._open:
            self._bars.start()
        task = self._bars.add_task(escape(title), total=total)
        self._open.append(task)
        try:
            yield
        finally:
            self._bars.remove_task(self._open.pop())  # type: ignore[arg-type]  # rich's TaskID is an int
            if not self._open:
                self._bars.stop()

    def advance(self, units: int = 1) -> None:
        """Move the innermost bar."""
        self._bars.advance(self._open[-1], units)  # type: ignore[arg-type]  # rich's TaskID is an int


class PlainProgress(Progress):
    """Lines: one when a stage of some length ends, and one every few seconds with rate and time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, width=200, color_system=None)
        self._open: list[list[float]] = []
        self._titles: list[str] = []

    def note(self, message: str) -> None:
        """One line."""
        self._console.print(message, markup=False, highlight=False)

    def warn(self, message: str) -> None:
        """One line that starts with ``warning:``."""
        self._console.print(f"warning: {message}", markup=False, highlight=False)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[None]:
        """Remember when the stage began; tell when it ends, if it took a while."""
        started = time.monotonic()
        self._open.append([0.0, float(total), started, started])
        self._titles.append(title)
        try:
            yield
        finally:
            done = self._open.pop()[0]
            seconds = time.monotonic() - started
            self._titles.pop()
            if seconds > 1:
                self.note(f"{title}: {done:.0f} of {total} in {seconds:.1f} s")

    def advance(self, units: int = 1) -> None:
        """Count; say something every few seconds."""
        state = self._open[-1]
        state[0] += units
        now = time.monotonic()
        if now - state[3] > _EVERY and state[0] < state[1]:
            state[3] = now
            rate = state[0] / (now - state[2])
            left = (state[1] - state[0]) / rate
            self.note(f"{self._titles[-1]}: {state[0]:.0f} of {state[1]:.0f}, {rate:.1f}/s, {left:.0f} s left")


def progress() -> Progress:
    """The right kind for where standard error goes."""
    return TerminalProgress() if Console(stderr=True).is_terminal else PlainProgress()
