"""The numbers of a results folder, over seeds, as tables, figures and the leaderboard need them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.results import budgets, nulls, rankings, summary, trivial
from bench.results.folder import Column, Results
from bench.types import EXTERNAL, RELEASED

#: Columns in which the values of one metric agree.
_METRIC = ["train", "train_protocol", "dataset", "protocol", "perturbation", "metric", "threshold_rule"]
#: What is told of each, with pandas types.
_NUMBERS = {
    **dict.fromkeys(("value", "low", "high"), "float64"),
    "varies": "str",
    **dict.fromkeys(("seeds", "sd"), "float64"),
    "reason": "str",
}
KINDS = ("detector", "ablation", "statistic")


def file_name(train: str) -> str:
    """A training source as part of file names."""
    return train.replace(":", "-")


class Setting(NamedTuple):
    """The cells of one table: training source and protocol, dataset and test protocol, perturbation."""

    train: str
    train_protocol: str
    dataset: str
    protocol: str
    perturbation: str

    @property
    def untrained(self) -> str:
        """``released weights`` or ``external scores``, if its detectors were not trained here; else nothing."""
        return {RELEASED: "released weights", EXTERNAL: "external scores"}.get(self.train, "")

    @property
    def slug(self) -> str:
        """The setting as part of file names."""
        suffix = "" if self.perturbation == "none" else f"-{self.perturbation}"
        return f"{self.dataset}-{file_name(self.train)}-{self.train_protocol}-to-{self.protocol}{suffix}"


@dataclass(frozen=True)
class Value:
    """A metric with its interval and the number of seeds; in a hole ``value`` is None and ``reason`` is set.

    Over several seeds it is the mean, and ``sd`` is the standard deviation of the values.
    """

    value: float | None
    low: float | None
    high: float | None
    seeds: int
    reason: str = ""
    sd: float | None = None


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the column ``label``: the method with its variant in brackets."""
    if "variant" not in table:
        return table
    variant = table["variant"].map(lambda name: f"[{name}]" if name else "")
    return table.assign(label=table["method"] + variant)


def of_setting(table: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """The rows of a table of a results folder that are of a setting."""
    return table[np.logical_and.reduce([table[name] == value for name, value in setting._asdict().items()])]


_Facts = dict[str, dict[str, Any]]


def _of_run(results: Results) -> tuple[_Facts, _Facts, list[str], str]:
    """What ``run.json`` says of slices and probes, what a seed draws, and on which machine the run was."""
    run = json.loads(results.run.read_text(encoding="utf-8")) if results.run.exists() else {}
    environment = run.get("environment", {})
    device = environment.get("device", "unknown device")
    machine = environment.get("device_name", device) if device == "cuda" else device
    return run.get("slices", {}), run.get("probes", {}), run.get("seeds_draw", []), machine


class Board:
    """Everything that a report reads from a results folder; ``sentence`` is its label as the last of a caption."""

    def __init__(self, results: Results) -> None:
        matrix = results.read_matrix()
        self.label, self.columns, self.entries = matrix.label, matrix.columns, matrix.entries
        self.sentence = f"{self.label[:1].upper()}{self.label[1:]}."
        self.cards: dict[str, dict[str, Any]] = json.loads(results.cards.read_text(encoding="utf-8"))
        self.nulls, self.budgets = nulls.read(results.nulls), budgets.read(results.budgets)
        self.slices, self.probes, self.seeds_draw, self.machine = _of_run(results)
        self.summary, self.ranks, self.pairs = (
            _labelled(read(path))
            for read, path in (
                (summary.read, results.summary),
                (rankings.read, results.ranks),
                (rankings.read_pairs, results.pairs),
            )
        )
        self.trivial = trivial.read(results.trivial)
        values = self.summary.set_index([*_METRIC, "label", "subset"])[list(_NUMBERS)]
        self._titles = self._unique_titles()
        self._values = {key: part.droplevel(_METRIC) for key, part in values.groupby(_METRIC, sort=False)}

    def _settings(self, task: str) -> list[Setting]:
        same = self.summary["task"].str.split(":").str[0] == task
        shown = self.summary.loc[same, list(Setting._fields)].drop_duplicates()
        return [Setting(*names) for names in shown.itertuples(index=False)]

    @property
    def settings(self) -> list[Setting]:
        """Every setting of detection that has rows; datasets are in the order of the columns."""
        order = {name: index for index, name in enumerate(self.datasets)}
        return sorted(self._settings("detect"), key=lambda s: (order.get(s.dataset, len(order)), s.slug))

    @property
    def attribution(self) -> list[Setting]:
        """Every setting of attribution, sorted."""
        return sorted(self._settings("attribute"), key=lambda s: s.slug)

    @property
    def datasets(self) -> list[str]:
        """The datasets, in the order of the columns."""
        return list(dict.fromkeys(column.dataset for column in self.columns))

    def trains(self, setting: Setting) -> list[str]:
        """The training sources of detection with a setting's dataset and protocols; joint sources are last."""
        same = [s.train for s in self.settings if s[1:] == setting[1:]]
        return sorted(set(same), key=lambda name: ("+" in name, name))

    def methods(self, setting: Setting, kind: str) -> list[str]:
        """The methods of a kind (one of :data:`KINDS`) with rows in a setting, by year and name."""
        parts = [part for key, part in self._values.items() if key[:5] == setting]
        labels = {label for part in parts for label in part.index.get_level_values("label")}
        ordered = sorted(labels, key=lambda name: (self.cards[name].get("year", 0), name))
        return [name for name in ordered if self.cards[name]["kind"] == kind]

    def _unique_titles(self) -> dict[str, str]:
        """The title of every label in the rows; labels that share one, as a copied plugin may, are added to it."""
        titles = {label: self._card_title(label) for label in self.summary["label"].unique()}
        shared = {title for title, count in Counter(titles.values()).items() if count > 1}
        return {label: f"{title} ({label})" if title in shared else title for label, title in titles.items()}

    def title(self, method: str) -> str:
        """The card's title, with the variant in brackets; unique among the folder's methods."""
        return self._titles.get(method) or self._card_title(method)

    def _card_title(self, method: str) -> str:
        variant = method[method.index("[") :] if "[" in method else ""
        return f"{self.cards[method]['title']}{variant}"

    def columns_of(self, setting: Setting) -> list[Column]:
        """The subsets of a setting's dataset, in the order of the papers."""
        return [column for column in self.columns if column.dataset == setting.dataset]

    def outside(self, setting: Setting) -> list[str]:
        """The averaged subsets of a setting outside the training generator's family, in the order of the columns."""
        table = self.summary
        same = (table["train"] == setting.train) & (table["dataset"] == setting.dataset) & (table["relation"] == "out")
        outside = set(table.loc[same, "subset"])
        return [column.subset for column in self.columns_of(setting) if column.averaged and column.subset in outside]

    def has(self, setting: Setting, subset: str) -> bool:
        """Whether a setting has rows of AUC on a subset, or a mean such as ``mean:out``."""
        known = self._values.get((*setting, "auc", ""))
        return known is not None and subset in known.index.get_level_values("subset")

    def ranking(self, setting: Setting) -> pd.DataFrame:
        """The rows of ``ranks.csv`` of a setting, by label."""
        return of_setting(self.ranks, setting).set_index("label")

    def cells(self, setting: Setting, subsets: Sequence[str], metric: str, rule: str = "") -> pd.DataFrame:
        """A metric of all methods of a setting on ``subsets`` (or means such as ``mean:out``), averaged over seeds.

        One row per method and subset, detectors first: ``method`` (title), ``kind``, ``subset``, ``value``, ``low``,
        ``high``, ``varies``, ``seeds``, ``sd`` and ``reason``. A cell without rows has the reason "not in the matrix".
        """
        labels = {label: kind for kind in KINDS for label in self.methods(setting, kind)}
        index = pd.MultiIndex.from_product([labels, subsets], names=["label", "subset"])
        known = self._values.get((*setting, metric, rule))
        if known is None:
            known = pd.DataFrame(columns=list(_NUMBERS), index=index[:0]).astype(dict(_NUMBERS))
        cells = known.reindex(index).reset_index()
        cells["reason"] = cells["reason"].fillna("not in the matrix")
        cells["varies"] = cells["varies"].fillna("")
        cells["seeds"] = cells["seeds"].fillna(0).astype("int64")
        cells.insert(0, "method", cells["label"].map(self.title))
        cells.insert(1, "kind", cells.pop("label").map(labels))
        return cells

    def value(self, setting: Setting, method: str, subset: str, metric: str, rule: str = "") -> Value:
        """A metric of one method on one subset (or a mean such as ``mean:out``), averaged over seeds."""
        known = self._values.get((*setting, metric, rule))
        if known is None or (method, subset) not in known.index:
            return Value(None, None, None, 0, "not in the matrix")
        row = known.loc[(method, subset)]
        numbers = {name: None if pd.isna(row[name]) else float(row[name]) for name in ("value", "low", "high", "sd")}
        return Value(**numbers, seeds=int(row["seeds"]), reason=row["reason"])


def percent(value: float, low: float, high: float, digits: int = 1) -> str:
    """A share in percent with ``digits`` decimals, and its interval with one; a dash if the share is missing."""
    if pd.isna(value):
        return "–"
    interval = "" if pd.isna(low) or pd.isna(high) else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * value:.{digits}f}{interval}"
