"""Trivial baseline: the file size per pixel."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """No parameters."""


class BytesPerPixel(Statistic):
    """Real and fake images are often compressed to different numbers of bytes per pixel."""

    card = Card(
        title="bytes per pixel",
        paper="none (trivial baseline)",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> float:
        """Return the file size in bytes, divided by the number of pixels."""
        return sample.facts.bytes / (sample.facts.width * sample.facts.height)


METHOD = BytesPerPixel
