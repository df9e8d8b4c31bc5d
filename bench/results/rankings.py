"""``ranks.csv`` and ``pairs.csv``: the detectors of every setting, ranked as far as their differences are known.

Every pair of detectors is compared in the mean AUC out of family, with p-values corrected for all pairs of the setting.
A detector's rank is 1 + the number of those that are significantly better. With one seed nothing is known about
training, so such a detector has no rank.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import intervals, ranking, seeds
from bench.metrics.ranking import ALPHA, Friedman
from bench.metrics.seeds import Seeds
from bench.results.folder import SCHEMA, Results
from bench.results.frames import read_csv
from bench.results.numbers import Number
from bench.results.scored import SETTING
from bench.types import EXTERNAL, OK, RELEASED

#: What is ranked.
SUBSET, KEY = "mean:out", ("auc", "")
_HEAD = {"schema": "int64", **dict.fromkeys(SETTING, "str")}
#: One row per detector of a setting. ``first`` and ``last`` are the ends of its rank among ``ranked`` detectors. They
#: are 0 if it has none, for the ``reason`` given. ``mean_rank`` is its average over generators out of family,
#: ``friedman_p`` the p-value of no difference at all, and ``critical_difference`` that of Nemenyi for mean ranks.
COLUMNS: Mapping[str, str] = {
    **_HEAD,
    **dict.fromkeys(("method", "variant"), "str"),
    **dict.fromkeys(("seeds", "first", "last", "ranked"), "int64"),
    **dict.fromkeys(("mean_rank", "friedman_p", "critical_difference"), "float64"),
    "reason": "str",
}
#: One row per pair of ranked detectors: AUC of ``one`` minus AUC of ``other``, in −1…1.
PAIRS: Mapping[str, str] = {
    **_HEAD,
    **dict.fromkeys(("one", "other"), "str"),
    **dict.fromkeys(("effect", "low", "high", "p", "p_holm"), "float64"),
}


@dataclass(frozen=True)
class Detector:
    """A detector of a setting: its numbers by subset, and its seeds in :data:`SUBSET` or the reason for no rank."""

    method: str
    variant: str
    numbers: Mapping[str, Sequence[Number]]
    out: Seeds | None
    reason: str

    @property
    def label(self) -> str:
        """``dire`` or ``dire[adm]``."""
        return f"{self.method}[{self.variant}]" if self.variant else self.method


def _detector(by_seed: Sequence[Sequence[Number]]) -> Detector | None:
    """A method's numbers; None if the setting has nothing out of family."""
    numbers = {members[0].entry.subset: members for members in zip(*by_seed, strict=True)}
    out = numbers.get(SUBSET)
    if out is None:
        return None
    entry = out[0].entry
    reason = next((number.entry.reason for number in out if number.entry.status != OK), "")
    if not reason and len(out) < 2 and entry.train not in (RELEASED, EXTERNAL):  # Their training cannot vary.
        reason = "one seed: the interval describes the test images, not training"
    if not reason and not out[0].sizes.enough:
        reason = f"fewer than {intervals.MIN_PER_CLASS} images in a class"
    found = None if reason else seeds.joined([number.seeds[KEY] for number in out])
    return Detector(entry.method, entry.variant, numbers, found, reason)


def of_kind(results: Results, *kinds: str) -> set[str]:
    """The labels of a results folder's methods of some kinds: ``detector``, ``ablation``, ``statistic``."""
    if not results.cards.exists():
        return set()
    cards = json.loads(results.cards.read_text(encoding="utf-8"))
    return {label for label, card in cards.items() if card["kind"] in kinds}


def detectors(methods: Sequence[Sequence[Sequence[Number]]]) -> list[Detector]:
    """The methods of a setting, by seed and subset, that have numbers out of family."""
    return [detector for by_seed in methods if (detector := _detector(by_seed))]


def difference(one: Seeds, other: Seeds) -> dict[str, float]:
    """``effect``, ``low``, ``high`` and two-sided ``p`` of one minus other on the same images."""
    effect, spread = one.value - other.value, seeds.difference(one, other)
    found = intervals.around(effect, spread.variance, spread.df, signed=True)
    return {"effect": effect, "low": found.low, "high": found.high, "p": seeds.p_value(effect, spread)}


def _pairs(ranked: Sequence[Detector]) -> list[dict[str, Any]]:
    pairs: list[dict[str, Any]] = []
    for one, other in combinations(ranked, 2):
        if one.out is None or other.out is None:
            continue
        pairs.append({"one": one.label, "other": other.label, **difference(one.out, other.out)})
    for pair, corrected in zip(pairs, ranking.holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_holm"] = float(corrected)
    return pairs


def _friedman(ranked: Sequence[Detector]) -> Friedman | None:
    """Friedman's test over the generators out of family; None if there are too few of them or of detectors."""
    outside = [name for name, members in ranked[0].numbers.items() if members[0].entry.relation == "out"]
    subsets = [s for s in outside if all(KEY in number.values for d in ranked for number in d.numbers[s])]
    if len(subsets) < 2 or len(ranked) < 3:
        return None
    values = [[np.mean([n.values[KEY] for n in d.numbers[subset]]) for d in ranked] for subset in subsets]
    return ranking.friedman(np.asarray(values))


def head_of(found: Sequence[Detector]) -> dict[str, Any]:
    """The first columns of a setting's rows."""
    entry = found[0].numbers[SUBSET][0].entry
    return {"schema": SCHEMA, **{name: getattr(entry, name) for name in SETTING}}


def of_setting(found: Sequence[Detector], beside: set[str]) -> tuple[list[Any], list[Any]]:
    """The rows of ``ranks.csv`` and of ``pairs.csv`` of one setting.

    Methods whose label is in ``beside`` are not ranked.
    """
    detectors = [detector for detector in found if detector.label not in beside]
    ranked = [detector for detector in detectors if not detector.reason]
    if not detectors:
        return [], []
    head = head_of(detectors)
    pairs = _pairs(ranked)
    better = {(p["one"], p["other"]): p["p_holm"] < ALPHA and p["effect"] > 0 for p in pairs}
    better |= {(p["other"], p["one"]): p["p_holm"] < ALPHA and p["effect"] < 0 for p in pairs}
    ranks = ranking.ranks([detector.label for detector in ranked], better)
    test = _friedman(ranked) if ranked else None
    lines = []
    for detector in detectors:
        line = {**head, "method": detector.method, "variant": detector.variant, "reason": detector.reason}
        line |= {"seeds": len(detector.numbers[SUBSET]), "first": 0, "last": 0, "ranked": len(ranked)}
        if not detector.reason:
            rank, place = ranks[detector.label], ranked.index(detector)
            line |= {"first": rank.first, "last": rank.last}
            if test:
                line |= {"mean_rank": float(test.mean_ranks[place]), "friedman_p": test.p}
                line |= {"critical_difference": test.critical_difference}
        lines.append(line)
    return lines, [{**head, **pair} for pair in pairs]


def read(path: Path) -> pd.DataFrame:
    """Read ``ranks.csv``. Raises UserError if it is missing or has other columns."""
    return read_csv(path, COLUMNS)


def read_pairs(path: Path) -> pd.DataFrame:
    """Read ``pairs.csv``. Raises UserError if it is missing or has other columns."""
    return read_csv(path, PAIRS)
