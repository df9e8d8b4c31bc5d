"""What a cell's scores are: one outcome per image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """Per-image outcome of a cell, in the order of the slice's items; failed images have NaN and a reason."""

    row_id: tuple[str, ...]
    image_id: tuple[str, ...]
    label: tuple[int | None, ...]
    logit: tuple[float, ...]
    status: tuple[str, ...]
    reason: tuple[str, ...]
