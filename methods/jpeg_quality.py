"""The JPEG quality alone."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """None."""


class JpegQuality(Statistic):
    """Tells reals and fakes apart where they were compressed differently."""

    card = Card(
        title="JPEG quality",
        paper="none: a control",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> str:
        """The estimated quality as a word; 0 for files that are no JPEG."""
        return str(sample.facts.quality)


METHOD = JpegQuality
