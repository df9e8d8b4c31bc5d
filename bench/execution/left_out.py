"""The images that a fit is trained without, and how its record lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.artefacts.store import MissingArtefact
from bench.errors import BenchError
from bench.training.examples import Reference
from bench.training.faults import BadImages, Lost
from bench.types import FAKE, REAL


@dataclass
class LeftOut:
    """Images left out of a fit, with reasons by row_id.

    ``waiting`` are those whose error may be temporary, by row_id: the recipe key and image id of the missing artefact,
    both empty if the image file itself could not be read.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, list[str]] = field(default_factory=dict)

    def add(self, bad: BadImages, lost: Lost) -> dict[str, str]:
        """Leave out more images; returns their reasons by row_id."""
        reasons = {fault.row_id: fault.reason(lost) for fault in bad.faults}
        for fault in bad.faults:
            if fault.passing:
                error = fault.error
                artefact = [error.key, error.identity] if isinstance(error, MissingArtefact) else ["", ""]
                self.waiting[fault.row_id] = artefact
        self.reasons |= reasons
        return reasons

    def record(self) -> dict[str, Any]:
        """Entries for the fit's record; empty if no image was left out."""
        rest = {row: reason for row, reason in sorted(self.reasons.items()) if row not in self.waiting}
        waiting = {row: [*artefact, self.reasons[row]] for row, artefact in sorted(self.waiting.items())}
        return {name: rows for name, rows in (("waiting", waiting), ("left_out", rest)) if rows}

    def check(self, refs: Sequence[Reference], val: Sequence[Reference], had_val: bool) -> None:
        """Raise BenchError unless both labels have training images left, and validation images if there were any."""
        lacks_label = not {REAL, FAKE} <= {label for ref in refs for label in ref.labels}
        if lacks_label or (had_val and not val):
            why = next(iter(self.reasons.values()), "the slice has none")
            raise BenchError(
                f"{'A class has no image to train on' if lacks_label else 'No validation image is left'}: {why}",
                f"{len(self.reasons)} images cannot be used.",
                "Fix or replace them.",
            )
