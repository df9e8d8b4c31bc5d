"""The rows of a results folder as the lookups that tables, figures and the leaderboard share."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.results import rows
from bench.results.folder import Column, Results
from bench.types import Row


@dataclass(frozen=True)
class Setting:
    """One table's worth of cells: training source and protocol, dataset and test protocol, perturbation."""

    train: str
    train_protocol: str
    dataset: str
    protocol: str
    perturbation: str

    @property
    def slug(self) -> str:
        """For file names."""
        suffix = "" if self.perturbation == "none" else f"-{self.perturbation}"
        return f"{self.dataset}-{self.train}-{self.train_protocol}-to-{self.protocol}{suffix}"


@dataclass(frozen=True)
class Value:
    """A share with its interval and the number of seeds behind it; ``value`` is None in a hole, with the reason.

    Over several seeds the value and the interval's ends are means, and ``spread`` is the values' standard deviation.
    """

    value: float | None
    low: float | None
    high: float | None
    seeds: int
    reason: str = ""
    spread: float | None = None


class Board:
    """Everything the report room reads."""

    def __init__(self, results: Results) -> None:
        matrix = results.read_matrix()
        self.label, self.columns = matrix.label, matrix.columns
        self.rows = rows.read(results.rows)
        self.cards: dict[str, dict[str, Any]] = json.loads(results.cards.read_text(encoding="utf-8"))
        self._found: dict[tuple[Setting, str, str, str, str], list[Row]] = defaultdict(list)
        for row in self.rows:
            method = f"{row.method}[{row.variant}]" if row.variant else row.method
            self._found[setting_of(row), method, row.subset, row.metric, row.threshold_rule].append(row)

    @property
    def settings(self) -> list[Setting]:
        """Every setting of detection that has rows, datasets in the columns' order."""
        found = {setting_of(row) for row in self.rows if row.task == "detect"}
        order = {name: place for place, name in enumerate(self.datasets)}
        return sorted(found, key=lambda setting: (order.get(setting.dataset, len(order)), setting.slug))

    @property
    def datasets(self) -> list[str]:
        """The datasets, in the columns' order."""
        return list(dict.fromkeys(column.dataset for column in self.columns))

    @property
    def told_apart(self) -> list[Setting]:
        """Every setting in which generators are told apart, sorted."""
        found = {setting_of(row) for row in self.rows if row.task == "attribute"}
        return sorted(found, key=lambda setting: setting.slug)

    def trains(self, setting: Setting) -> list[str]:
        """The training sources of detection in a setting's protocols on its dataset, single ones first."""
        alike = ("train_protocol", "dataset", "protocol", "perturbation")
        same = [s for s in self.settings if all(getattr(s, name) == getattr(setting, name) for name in alike)]
        return sorted({s.train for s in same}, key=lambda name: ("+" in name, name))

    def methods(self, setting: Setting, kind: str) -> list[str]:
        """The methods of a kind (``detector`` or ``statistic``) with rows in a setting, by year and name."""
        present = {method for found, method, *_ in self._found if found == setting}
        ordered = sorted(present, key=lambda name: (self.cards[name].get("year", 0), name))
        return [name for name in ordered if self.cards[name]["kind"] == kind]

    def title(self, method: str) -> str:
        """The card's title, with the variant in brackets."""
        variant = method[method.index("[") :] if "[" in method else ""
        return f"{self.cards[method]['title']}{variant}"

    def columns_of(self, setting: Setting) -> list[Column]:
        """The subsets of a setting's dataset in the papers' order."""
        return [column for column in self.columns if column.dataset == setting.dataset]

    def value(self, setting: Setting, method: str, subset: str, metric: str, rule: str = "") -> Value:
        """A metric of a method on a subset (or ``mean:out`` and the like), averaged over seeds."""
        found = self._found.get((setting, method, subset, metric, rule), [])
        if not found:
            return Value(None, None, None, 0, "not in the matrix")
        holes = [row for row in found if row.value is None]
        if holes:
            return Value(None, None, None, len(found), holes[0].reason)
        values = [row.value for row in found if row.value is not None]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return Value(_mean(found, "value"), _mean(found, "low"), _mean(found, "high"), len(found), spread=spread)


def _mean(found: Sequence[Row], name: str) -> float | None:
    """The mean of a column; None where a row has none."""
    values = [getattr(row, name) for row in found]
    return None if None in values else float(np.mean(values))


def setting_of(row: Row) -> Setting:
    """The setting that a row belongs to."""
    return Setting(row.train, row.train_protocol, row.dataset, row.protocol, row.perturbation)
