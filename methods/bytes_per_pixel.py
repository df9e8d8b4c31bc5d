"""File size a pixel alone."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """None."""


class BytesPerPixel(Statistic):
    """Compression leaves files of different density."""

    card = Card(
        title="bytes per pixel",
        paper="none: a control",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> float:
        """Bytes over pixels."""
        return sample.facts.bytes / (sample.facts.width * sample.facts.height)


METHOD = BytesPerPixel
