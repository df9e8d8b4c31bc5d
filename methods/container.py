"""The file format alone: what a detector scores that looks at no pixel."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """None."""


class Container(Statistic):
    """A slice of JPEG reals and PNG fakes is told apart by this at once."""

    card = Card(
        title="container",
        paper="none: a control",
        code="this project",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        version=1,
    )
    Params = Params

    def value(self, sample: Sample) -> str:
        """The container's name, such as ``jpeg``."""
        return sample.facts.container


METHOD = Container
