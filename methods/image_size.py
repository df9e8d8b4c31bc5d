"""Width and height alone."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """None."""


class ImageSize(Statistic):
    """Generators draw in a few fixed sizes; photographs come in many."""

    card = Card(
        title="image size",
        paper="none: a control",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> str:
        """Width and height as a word."""
        return f"{sample.facts.width}x{sample.facts.height}"


METHOD = ImageSize
