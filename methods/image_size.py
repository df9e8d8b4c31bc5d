"""Trivial baseline: the width and height."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """No parameters."""


class ImageSize(Statistic):
    """Generators produce images in a few fixed sizes; photographs have many sizes."""

    card = Card(
        title="image size",
        paper="none (trivial baseline)",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> str:
        """Return the width and height as a word, such as ``512x512``."""
        return f"{sample.facts.width}x{sample.facts.height}"


METHOD = ImageSize
