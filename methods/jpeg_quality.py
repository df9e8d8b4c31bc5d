"""Trivial baseline: the JPEG quality."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """No parameters."""


class JpegQuality(Statistic):
    """Separates real and fake images that were compressed with different JPEG qualities."""

    card = Card(
        title="JPEG quality",
        paper="none (trivial baseline)",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> str:
        """Return the estimated JPEG quality as a word; 0 if the file is not a JPEG."""
        return str(sample.facts.quality)


METHOD = JpegQuality
