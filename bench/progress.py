"""What a long job tells about itself. The command line draws it; the rooms below only report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Receives what a long job reports; this one ignores it all."""

    def note(self, message: str) -> None:
        """One line a person should see."""

    def warn(self, message: str) -> None:
        """One line a person must not miss."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[None]:
        """A stage of ``total`` units; :meth:`advance` counts them."""
        yield

    def advance(self, units: int = 1) -> None:
        """``units`` more units of the innermost stage are done."""


class Meter:
    """Counts of what was computed, for ``run.json``: a run with nothing to do leaves them all at zero."""

    def __init__(self) -> None:
        self.forwards = 0
        self.fits_trained = 0
        self.artefacts_made = 0
