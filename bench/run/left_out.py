"""The images that a fit is trained without, kept beside it so that an interrupted training goes on without them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.kit.faults import BadImages, Lost
from bench.kit.reference import Reference
from bench.recon.store import MissingArtefact
from bench.types import FAKE, REAL

_FILE = "left_out.json"


@dataclass
class LeftOut:
    """Reasons by row_id; ``waiting`` are rows whose artefacts may yet be made."""

    reasons: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> LeftOut:
        """What an interrupted training of the fit has left out."""
        path = folder / _FILE
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()

    def add(self, bad: BadImages, lost: Lost) -> None:
        """Leave out more images."""
        for fault in bad.faults:
            self.reasons[fault.row_id] = fault.reason(lost)
            if isinstance(fault.error, MissingArtefact):
                self.waiting.append(fault.row_id)

    def write(self, folder: Path) -> None:
        """Keep it, and take away the state of the training that saw them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state.pt").unlink(missing_ok=True)
        partial = folder / f"{_FILE}.part"
        partial.write_text(json.dumps(vars(self), sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(folder / _FILE)

    def remove(self, folder: Path) -> None:
        """The fit is finished: its record has it."""
        (folder / _FILE).unlink(missing_ok=True)

    def record(self) -> dict[str, Any]:
        """What the fit's record tells: nothing where every image was seen."""
        waiting = {row: self.reasons[row] for row in sorted(set(self.waiting))}
        rest = {row: reason for row, reason in sorted(self.reasons.items()) if row not in waiting}
        return {name: rows for name, rows in (("without_artefacts", waiting), ("left_out", rest)) if rows}


def check_labels(refs: Sequence[Reference], out: Mapping[str, str]) -> None:
    """Raise BenchError unless references of both labels are left."""
    left = {ref.label for ref in refs}
    if not {REAL, FAKE} <= left:
        why = next(iter(out.values()), "there is none")
        raise BenchError("A class has no image to train on.", f"The first reason: {why}", "Mend or replace the images.")
