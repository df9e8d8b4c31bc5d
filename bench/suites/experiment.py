"""Experiments: the tables and figures of the papers, as what has to be run and where its numbers stand.

``experiments/NAME.toml`` changes a suite and names the cells of a table: each printed row and column says part of what
a cell measures. Rows may be methods and columns subsets, or the reverse. Experiments made of probes are in
:mod:`bench.suites.probed`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from bench.errors import UserError, unknown
from bench.suites.probed import Probed

FOLDER = Path(__file__).parent / "experiments"
#: The dataset that detectors are trained on.
TRAINED_ON = "genimage"
#: The dataset of cells that recognise a generator.
ATTRIBUTION = "attribution"


class Part(BaseModel):
    """What a row or column says of its cells; what it leaves out, the other one or the experiment says.

    ``method`` is a label such as ``dire[adm]``; ``of`` is ``dataset:subset``, ``dataset:mean:all``, or
    ``attribution:sdv15`` for a fit that recognises a generator (``train`` is ``attribute:sdv15``). With ``mean``, the
    cell is the plain mean of the other cells of its row or column. ``missing`` says why it cannot be measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str = ""
    of: str = ""
    train: str = ""
    metric: str = ""
    perturbation: str = ""
    mean: bool = False
    missing: str = ""

    def over(self, other: Part) -> Part:
        """The part, completed by another one."""
        own = self.model_dump(exclude_defaults=True)
        return Part.model_validate(other.model_dump() | own)


class Experiment(BaseModel):
    """The contents of an experiment's file.

    ``paper`` and ``table`` name its numbers in ``published.csv``; ``table`` is empty for what no paper has. ``every``
    is what all cells have in common. ``percent`` says how the paper prints shares. ``suite`` changes whatever suite it
    runs in, and ``suites`` those that it names. ``note`` says what differs from the paper, for readers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    paper: str
    table: str = ""
    note: str = ""
    percent: bool = True
    protocols: tuple[str, ...] = ("raw", "aligned")
    every: Part = Part()
    rows: Mapping[str, Part]
    columns: Mapping[str, Part]
    suite: Mapping[str, Any] = {}
    suites: Mapping[str, Mapping[str, Any]] = {}

    @field_validator("rows", mode="before")
    @classmethod
    def _methods(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file has
        return _short(given, "method")

    @field_validator("columns", mode="before")
    @classmethod
    def _subsets(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file has
        return _short(given, "of")

    @property
    def cells(self) -> dict[tuple[str, str], Part]:
        """What each cell of the table measures, by row and column."""
        return {
            (row, column): across.over(down).over(self.every)
            for row, across in self.rows.items()
            for column, down in self.columns.items()
        }

    def _all(self, name: str) -> list[str]:
        measured = (part for part in self.cells.values() if not part.missing)
        return list(dict.fromkeys(value for part in measured if (value := getattr(part, name))))

    @property
    def methods(self) -> list[str]:
        """The labels of the methods that it needs."""
        return self._all("method")

    @property
    def trains(self) -> list[str]:
        """Its training sources."""
        return self._all("train")

    @property
    def tests(self) -> dict[str, list[str]]:
        """Its test subsets by dataset; none listed means all of them."""
        found: dict[str, list[str]] = {}
        for value in self._all("of"):
            dataset, _, subset = value.partition(":")
            if dataset != ATTRIBUTION:
                found.setdefault(dataset, []).append(subset)
        return {name: [] if any(":" in s for s in subsets) else subsets for name, subsets in found.items()}

    def changes(self, base: str) -> dict[str, Any]:
        """The tables by which a suite is changed."""
        own = {"name": f"{base}-{self.name}", "protocols": list(self.protocols), "controls": [], "compare": []}
        own |= {"datasets": list(dict.fromkeys([TRAINED_ON, *self.tests]))}
        return {**own, **self.suite, **self.suites.get(base, {})}


def _short(given: Any, name: str) -> Any:  # noqa: ANN401 - whatever the file has
    """A table in which a string stands for a part that has only ``name``."""
    if not isinstance(given, dict):
        return given
    return {key: {name: value} if isinstance(value, str) else value for key, value in given.items()}


def names() -> list[str]:
    """Names of all experiments."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Experiment | Probed:
    """An experiment by its name: a table of cells, or with a ``kind`` one of probes.

    Raises UserError if it is unknown or its file is not valid.
    """
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        raise unknown("experiment", name, names(), fix="`list experiments` says what each is.")
    try:
        tables = {"name": name, **tomllib.loads(path.read_text(encoding="utf-8"))}
        return (Probed if "kind" in tables else Experiment).model_validate(tables)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise UserError(
            f"The experiment {path} is not valid.",
            f"{error}.",
            f"Compare it with {FOLDER / 'sare-table1.toml'}, or one of probes with {FOLDER / 'sare-figure4.toml'}.",
        ) from error
