"""The rows of a results folder as the tables, figures and the leaderboard need them: averaged over seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from bench.results import rows
from bench.results.folder import Column, Results

#: What the rows of one metric share, and of one mean over seeds.
_METRIC = ["train", "train_protocol", "dataset", "protocol", "perturbation", "metric", "threshold_rule"]
_CELL = [*_METRIC, "label", "subset"]
KINDS = ("detector", "statistic")


class Setting(NamedTuple):
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
    """A share with its interval and the number of seeds; ``value`` is None in a hole, which has a ``reason``.

    Over several seeds, value and interval ends are means, and ``sd`` is the standard deviation of the values.
    """

    value: float | None
    low: float | None
    high: float | None
    seeds: int
    reason: str = ""
    sd: float | None = None


def over_seeds(found: pd.DataFrame) -> pd.DataFrame:
    """Rows averaged over seeds: ``value``, ``low``, ``high`` (NaN if any seed lacks it), ``seeds``, ``sd``, ``reason``.

    ``found`` has the columns of ``rows.csv`` and ``label``.
    """
    groups = found.groupby(_CELL, sort=False)
    seeds = groups.size()
    averages = {name: groups[name].mean().where(groups[name].count() == seeds) for name in ("value", "low", "high")}
    reasons = found[found["value"].isna()].groupby(_CELL, sort=False)["reason"].first()
    made = pd.DataFrame({**averages, "seeds": seeds, "sd": groups["value"].std().where(averages["value"].notna())})
    return made.join(reasons).fillna({"reason": ""})


class Board:
    """Everything that the report room reads."""

    def __init__(self, results: Results) -> None:
        matrix = results.read_matrix()
        self.label, self.columns = matrix.label, matrix.columns
        self.cards: dict[str, dict[str, Any]] = json.loads(results.cards.read_text(encoding="utf-8"))
        self.rows = rows.read(results.rows)
        variant = self.rows["variant"].map(lambda name: f"[{name}]" if name else "")
        self.rows["label"] = self.rows["method"] + variant
        values = over_seeds(self.rows)
        self._values = {key: part.droplevel(_METRIC) for key, part in values.groupby(_METRIC, sort=False)}

    def _settings(self, task: str) -> list[Setting]:
        shown = self.rows.loc[self.rows["task"] == task, list(Setting._fields)].drop_duplicates()
        return [Setting(*names) for names in shown.itertuples(index=False)]

    @property
    def settings(self) -> list[Setting]:
        """Every setting of detection that has rows, datasets in the columns' order."""
        order = {name: index for index, name in enumerate(self.datasets)}
        return sorted(self._settings("detect"), key=lambda s: (order.get(s.dataset, len(order)), s.slug))

    @property
    def attribution(self) -> list[Setting]:
        """Every setting of attribution, sorted."""
        return sorted(self._settings("attribute"), key=lambda s: s.slug)

    @property
    def datasets(self) -> list[str]:
        """The datasets, in the columns' order."""
        return list(dict.fromkeys(column.dataset for column in self.columns))

    def trains(self, setting: Setting) -> list[str]:
        """The training sources of detection in a setting's protocols on its dataset, single ones first."""
        same = [s.train for s in self.settings if s[1:] == setting[1:]]
        return sorted(set(same), key=lambda name: ("+" in name, name))

    def methods(self, setting: Setting, kind: str) -> list[str]:
        """The methods of a kind (``detector`` or ``statistic``) with rows in a setting, by year and name."""
        parts = [part for key, part in self._values.items() if key[:5] == setting]
        labels = {label for part in parts for label in part.index.get_level_values("label")}
        ordered = sorted(labels, key=lambda name: (self.cards[name].get("year", 0), name))
        return [name for name in ordered if self.cards[name]["kind"] == kind]

    def title(self, method: str) -> str:
        """The card's title, with the variant in brackets."""
        variant = method[method.index("[") :] if "[" in method else ""
        return f"{self.cards[method]['title']}{variant}"

    def columns_of(self, setting: Setting) -> list[Column]:
        """The subsets of a setting's dataset in the papers' order."""
        return [column for column in self.columns if column.dataset == setting.dataset]

    def cells(self, setting: Setting, subsets: Sequence[str], metric: str, rule: str = "") -> pd.DataFrame:
        """A metric of all methods of a setting on some subsets (or ``mean:out`` and the like), averaged over seeds.

        One row per method and subset, detectors first: ``method`` (title), ``kind``, ``subset``, and the columns of
        :func:`over_seeds`. A cell without rows has the reason "not in the matrix".
        """
        labels = {label: kind for kind in KINDS for label in self.methods(setting, kind)}
        index = pd.MultiIndex.from_product([labels, subsets], names=["label", "subset"])
        known = self._values.get((*setting, metric, rule))
        if known is None:
            known = pd.DataFrame(columns=["value", "low", "high", "seeds", "sd", "reason"], index=index[:0])
        made = known.reindex(index).reset_index()
        made["reason"] = made["reason"].fillna("not in the matrix")
        made["seeds"] = made["seeds"].fillna(0).astype("int64")
        made.insert(0, "method", made["label"].map(self.title))
        made.insert(1, "kind", made.pop("label").map(labels))
        return made

    def value(self, setting: Setting, method: str, subset: str, metric: str, rule: str = "") -> Value:
        """A metric of one method on one subset (or ``mean:out`` and the like), averaged over seeds."""
        known = self._values.get((*setting, metric, rule))
        if known is None or (method, subset) not in known.index:
            return Value(None, None, None, 0, "not in the matrix")
        row = known.loc[(method, subset)]
        numbers = {name: None if pd.isna(row[name]) else float(row[name]) for name in ("value", "low", "high", "sd")}
        return Value(**numbers, seeds=int(row["seeds"]), reason=row["reason"])


def percent(value: float, low: float, high: float, digits: int = 1) -> str:
    """A share in percent with its interval, one digit each; a dash if it is missing."""
    if pd.isna(value):
        return "–"
    interval = "" if pd.isna(low) or pd.isna(high) else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * value:.{digits}f}{interval}"
