"""Experiments that are made of probes: a number, a picture or a time per image, instead of detectors' cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

#: The dataset whose generators an experiment is about, if it names none.
DATASET = "genimage"


class Cell(BaseModel):
    """A column of a table: ``of`` is ``dataset:subset``; with ``mean``, the plain mean of the other columns.

    ``missing`` says why it cannot be measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: str = ""
    mean: bool = False
    missing: str = ""


class Panel(BaseModel):
    """One picture of a gallery, made of the probe ``of``.

    ``picture`` shows it, ``difference`` shows |x − x̂| times ``gain``, ``overlay`` lays the map over the image. The text
    that the probe ``caption`` made stands below it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    of: str
    show: Literal["picture", "difference", "overlay"] = "picture"
    gain: float = 1.0
    caption: str = ""


class Probed(BaseModel):
    """The contents of the file of an experiment made of probes.

    ``kind`` is what stands on the page:

    * ``gap``: for each of ``values`` (what it is called → probe) and each generator the means of photographs and fakes,
      and their difference; with two values, also the difference of these.
    * ``series``: the means of photographs and fakes against ``values``, whose names are numbers.
    * ``table``: means by row (``values``) and column (``columns``), as in ``published.csv``.
    * ``gallery``: ``panels`` of ``pairs`` of a photograph and a fake of each generator.
    * ``cost``: seconds per image of each of ``values``, measured on ``images`` of each generator.

    ``probes`` are those that are measured, with settings, and ``quantity`` is what they measure, with its unit.
    ``test`` lists generators as ``dataset:subset``, all of GenImage's if it is empty; those that the data lacks become
    holes. A gallery may show ``classes`` alone. ``suite`` changes whatever suite it runs in, and ``suites`` those that
    it names. ``note`` says what differs from the paper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["gap", "series", "table", "gallery", "cost"]
    name: str
    title: str
    paper: str
    table: str = ""
    note: str = ""
    protocols: tuple[str, ...] = ("raw", "aligned")
    test: tuple[str, ...] = ()
    quantity: str = ""
    axis: str = ""
    digits: int = 4
    probes: Mapping[str, Mapping[str, Any]]
    values: Mapping[str, str] = {}
    columns: Mapping[str, Cell] = {}
    panels: tuple[Panel, ...] = ()
    classes: tuple[Literal["real", "fake"], ...] = ("real", "fake")
    pairs: int = 0
    images: int = 0
    suite: Mapping[str, Any] = {}
    suites: Mapping[str, Mapping[str, Any]] = {}

    @model_validator(mode="after")
    def _complete(self) -> Probed:
        needed = {"table": ("values", "columns"), "gallery": ("panels", "pairs"), "cost": ("values", "images")}
        absent = [name for name in needed.get(self.kind, ("values",)) if not getattr(self, name)]
        if absent:
            raise ValueError(f"an experiment of the kind {self.kind} needs {' and '.join(absent)}")
        return self

    @property
    def methods(self) -> list[str]:
        """None: nothing is trained."""
        return []

    @property
    def trains(self) -> list[str]:
        """None: nothing is trained."""
        return []

    @property
    def measured(self) -> list[str]:
        """The names of the probes that its page shows."""
        panels = [name for panel in self.panels for name in (panel.of, panel.caption) if name]
        return list(dict.fromkeys([*self.values.values(), *panels]))

    def changes(self, base: str) -> dict[str, Any]:
        """The tables by which a suite is changed."""
        own: dict[str, Any] = {"name": f"{base}-{self.name}", "protocols": list(self.protocols), "seeds": [0]}
        own |= {"controls": [], "compare": [], "perturbations": [], "pairs": self.pairs, "timed": self.images}
        own |= {"datasets": list(dict.fromkeys([DATASET, *(name.partition(":")[0] for name in self.test)]))}
        own |= {"only": list(self.test)}
        changed = self.suites.get(base, {})
        settings = {name: {**given, **changed.get("probes", {}).get(name, {})} for name, given in self.probes.items()}
        return {**own, **self.suite, **changed, "probes": settings}
