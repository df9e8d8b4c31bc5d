"""What a long job tells about itself. The command line draws it; the rooms below only report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Receives what a long job reports; this one ignores it all. Stages may overlap."""

    def note(self, message: str) -> None:
        """One line a person should see."""

    def warn(self, message: str) -> None:
        """One line a person must not miss."""

    def begin(self, title: str, total: int) -> int:
        """Open a stage of ``total`` units; returns its number, for :meth:`advance` and :meth:`end`."""
        return 0

    def advance(self, stage: int, units: int = 1) -> None:
        """``units`` more units of a stage are done."""

    def end(self, stage: int) -> None:
        """Close a stage, whole or not."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[int]:
        """A stage for the length of a block."""
        number = self.begin(title, total)
        try:
            yield number
        finally:
            self.end(number)


class Meter:
    """Counts of what was computed, for ``run.json``: a run with nothing to do leaves them all at zero."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from zero again."""
        self.forwards = 0
        self.fits_trained = 0
        self.artefacts_made = 0

    def add(self, other: Meter) -> None:
        """Count what another process computed."""
        self.forwards += other.forwards
        self.fits_trained += other.fits_trained
        self.artefacts_made += other.artefacts_made
