"""The images that a fit is trained without, and what its record says of them."""

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
    """Reasons by row_id; ``waiting`` are those whose trouble may pass: (recipe key, image id), empty for a file."""

    reasons: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, list[str]] = field(default_factory=dict)

    def add(self, bad: BadImages, lost: Lost) -> dict[str, str]:
        """Leave out more images; the reasons of these."""
        fresh = {fault.row_id: fault.reason(lost) for fault in bad.faults}
        for fault in bad.faults:
            if fault.passing:
                error = fault.error
                place = [error.key, error.identity] if isinstance(error, MissingArtefact) else ["", ""]
                self.waiting[fault.row_id] = place
        self.reasons |= fresh
        return fresh

    def record(self) -> dict[str, Any]:
        """What the fit's record tells: nothing where every image was seen."""
        rest = {row: reason for row, reason in sorted(self.reasons.items()) if row not in self.waiting}
        waiting = {row: [*place, self.reasons[row]] for row, place in sorted(self.waiting.items())}
        return {name: rows for name, rows in (("waiting", waiting), ("left_out", rest)) if rows}

    def check(self, refs: Sequence[Reference], val: Sequence[Reference], had_val: bool) -> None:
        """Raise BenchError unless references of both labels are left, and some to validate by where there were any."""
        lacks_label = not {REAL, FAKE} <= {ref.label for ref in refs}
        if lacks_label or (had_val and not val):
            why = next(iter(self.reasons.values()), "there is none")
            raise BenchError(
                f"{'A class has no image to train on' if lacks_label else 'No validation image is left'}: {why}",
                f"{len(self.reasons)} images cannot be shown.",
                "Fix or replace them.",
            )
