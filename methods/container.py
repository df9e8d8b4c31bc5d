"""Trivial baseline: the file format, which scores without reading any pixel."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """No parameters."""


class Container(Statistic):
    """Separates real and fake images that are stored in different file formats, such as JPEG and PNG."""

    card = Card(
        title="container",
        paper="none (trivial baseline)",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> str:
        """Return the name of the file format, such as ``jpeg``."""
        return sample.facts.container


METHOD = Container
