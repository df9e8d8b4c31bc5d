"""Progress on standard error: bars with rate and remaining time on a terminal, else plain lines."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import count

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from bench.progress import Progress

_EVERY = 15.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class TerminalProgress(Progress):
    """One bar per stage, removed when the stage ends."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        self._bars = Bars(*columns, console=self._console, transient=True)
        self._open: set[int] = set()
        self._lock = threading.Lock()  # Stages begin and end in several threads.

    def note(self, message: str) -> None:
        """Print a line above the bars."""
        self._console.print(escape(message), style="dim", highlight=False)

    def warn(self, message: str) -> None:
        """Print a line above the bars, in yellow."""
        self._console.print(escape(message), style="yellow", highlight=False)

    def begin(self, title: str, total: int) -> int:
        """Add a bar; returns its number."""
        with self._lock:
            if not self._open:
                self._bars.start()
            task = self._bars.add_task(escape(title), total=total)
            self._open.add(task)
        return task

    def advance(self, stage: int, units: int = 1) -> None:
        """Advance a bar."""
        self._bars.advance(TaskID(stage), units)

    def end(self, stage: int) -> None:
        """Remove the bar."""
        with self._lock:
            self._bars.remove_task(TaskID(stage))
            self._open.discard(stage)
            if not self._open:
                self._bars.stop()


@dataclass
class _Stage:
    """Progress of a stage, with the times when it started and when its last line was printed."""

    title: str
    total: int
    done: int
    started: float
    printed: float


class PlainProgress(Progress):
    """One line when a long stage ends, and one every few seconds with rate and remaining time."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, width=200, color_system=None)
        self._stages: dict[int, _Stage] = {}
        self._numbers = count()

    def note(self, message: str) -> None:
        """Print a line."""
        self._console.print(message, markup=False, highlight=False)

    def warn(self, message: str) -> None:
        """Print a line that starts with ``warning:``."""
        self._console.print(f"warning: {message}", markup=False, highlight=False)

    def begin(self, title: str, total: int) -> int:
        """Start a stage; returns its number."""
        number, now = next(self._numbers), time.monotonic()
        self._stages[number] = _Stage(title, total, 0, now, now)
        return number

    def advance(self, stage: int, units: int = 1) -> None:
        """Count the units; print a line every few seconds."""
        stage_, now = self._stages[stage], time.monotonic()
        stage_.done += units
        if now - stage_.printed > _EVERY and 0 < stage_.done < stage_.total:
            stage_.printed = now
            rate = stage_.done / (now - stage_.started)
            left = (stage_.total - stage_.done) / rate
            self.note(f"{stage_.title}: {stage_.done} of {stage_.total}, {rate:.1f}/s, {left:.0f} s left")

    def end(self, stage: int) -> None:
        """Print how long the stage took, if it took over a second."""
        stage_ = self._stages.pop(stage)
        seconds = time.monotonic() - stage_.started
        if seconds > 1:
            self.note(f"{stage_.title}: {stage_.done} of {stage_.total} in {seconds:.1f} s")


def progress() -> Progress:
    """Bars if standard error is a terminal, else lines."""
    return TerminalProgress() if Console(stderr=True).is_terminal else PlainProgress()
