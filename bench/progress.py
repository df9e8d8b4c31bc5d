"""Progress of long jobs. The command line displays it; all other packages only report it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Progress:
    """Receives the progress of a long job; this base class ignores it. Stages may overlap."""

    def note(self, message: str) -> None:
        """Report one line of information."""

    def warn(self, message: str) -> None:
        """Report one line that the user must not miss."""

    def begin(self, title: str, total: int) -> int:
        """Open a stage of ``total`` units; returns its number, for :meth:`advance` and :meth:`end`."""
        return 0

    def advance(self, stage: int, units: int = 1) -> None:
        """Report that ``units`` more units of a stage are done."""

    def end(self, stage: int) -> None:
        """Close a stage, complete or not."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[int]:
        """Context manager of a stage that is open during the block."""
        number = self.begin(title, total)
        try:
            yield number
        finally:
            self.end(number)


class Heard(Progress):
    """Passes everything on to another, and keeps what was said: messages, each with whether it warns."""

    def __init__(self, to: Progress) -> None:
        self._to = to
        self.said: list[tuple[str, bool]] = []

    def note(self, message: str) -> None:
        """Keep one line of information."""
        self.said.append((message, False))
        self._to.note(message)

    def warn(self, message: str) -> None:
        """Keep one warning."""
        self.said.append((message, True))
        self._to.warn(message)

    def begin(self, title: str, total: int) -> int:
        """Open a stage of the other."""
        return self._to.begin(title, total)

    def advance(self, stage: int, units: int = 1) -> None:
        """Advance a stage of the other."""
        self._to.advance(stage, units)

    def end(self, stage: int) -> None:
        """Close a stage of the other."""
        self._to.end(stage)

    def repeat(self, said: Iterable[tuple[str, bool]]) -> None:
        """Say again what was said before."""
        for message, warns in said:
            (self.warn if warns else self.note)(message)


class Meter:
    """Counts of what was computed, for ``run.json``: a run with nothing to do leaves them all at zero.

    ``units_retried`` counts the units that were begun again because a process or its host had died.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set all counts to zero."""
        self.forwards = 0
        self.fits_trained = 0
        self.artefacts_made = 0
        self.units_retried = 0

    def add(self, other: Meter) -> None:
        """Add the counts of another process."""
        self.forwards += other.forwards
        self.fits_trained += other.fits_trained
        self.artefacts_made += other.artefacts_made
        self.units_retried += other.units_retried
