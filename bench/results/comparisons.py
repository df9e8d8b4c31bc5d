"""``comparisons.csv`` as a DataFrame: pairs of methods on the same images, from per-image scores alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import intervals, paired, ranking, seeds
from bench.metrics.classification import Tally, auc
from bench.metrics.intervals import MIN_PER_CLASS
from bench.metrics.seeds import TEST, Seeds, Spread
from bench.results import scored
from bench.results.folder import SCHEMA, Entry, Results
from bench.results.frames import read_csv
from bench.results.numbers import AGGREGATES, JOINT
from bench.results.scored import Key, Scored
from bench.types import OK

#: Two cells are compared if these agree: training source and protocol, dataset, test protocol.
SETTING = ("train", "train_protocol", "dataset", "protocol")
#: The columns of ``comparisons.csv``. ``p_holm`` (Holm's) and ``corrected_low`` and ``corrected_high`` (Bonferroni's)
#: are corrected for all rows that :func:`printed` selects, and missing in the others. They come from the standard error
#: ``se`` and the degrees of freedom ``df``, which are missing for test sampling alone. ``p_wilcoxon`` is that of the
#: subsets of a mean, ``p_mcnemar`` that of ACC at 0.5 with one seed.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("one", "other", *SETTING, "subset", "metric"), "str"),
    **dict.fromkeys(("effect", "low", "high", "corrected_low", "corrected_high", "se", "df"), "float64"),
    **dict.fromkeys(("p", "p_holm", "p_wilcoxon", "p_mcnemar"), "float64"),
    **dict.fromkeys(("interval", "varies"), "str"),
    **dict.fromkeys(("seeds", "n_real", "n_fake"), "int64"),
    "reason": "str",
}
KEY: Key = ("auc", "")
#: With fewer subsets Wilcoxon's test cannot reach 5 %.
MIN_SUBSETS = 6
Cells = Mapping[tuple[str, ...], Mapping[str, Sequence[Entry]]]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a method (by label) of a results folder, with some ``seeds`` or all (None).

    ``perturbation`` names the test: a control or a change of the images.
    """

    results: Results
    method: str
    seeds: frozenset[int] | None = None
    perturbation: str = "none"

    def cells(self) -> Cells:
        """Its test cells by setting and subset, one per seed."""
        cells: dict[tuple[str, ...], dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for entry in self.results.read_matrix().entries:
            if self.seeds is not None and entry.seed not in self.seeds:
                continue
            if (entry.label, entry.role, entry.perturbation) == (self.method, "test", self.perturbation):
                cells[tuple(getattr(entry, name) for name in SETTING)][entry.subset].append(entry)
        return cells


@dataclass(frozen=True)
class Pair:
    """Two detectors on one subset, or on the mean over several: each with its seeds and its images.

    ``same_fits`` says that they are two tests of one detector's fits: their difference is taken seed by seed.
    """

    one: Seeds
    other: Seeds
    n_real: int
    n_fake: int
    cells: tuple[Sequence[Scored], Sequence[Scored]] = ((), ())
    subsets: tuple[float, ...] = ()
    same_fits: bool = False

    @property
    def spread(self) -> Spread:
        """The variance of the difference."""
        if self.same_fits:
            return seeds.spread(seeds.within(self.one, self.other))
        return seeds.difference(self.one, self.other)


def common(sides: Sequence[Sequence[Scored]], nested: bool = False) -> list[list[Scored]] | str:
    """The cells of all sides on the images that all of them have scored, in one order; or the reason for a hole.

    They must be of the same images, unless ``nested``: a protocol leaves some images of a test set out.
    """
    cells = [cell for side in sides for cell in side]
    reason = next((cell.entry.reason for cell in cells if cell.entry.status != OK), None)
    if reason is not None:
        return reason
    if not nested and any(set(cell.listed) != set(cells[0].listed) for cell in cells):
        return "not scored on the same images"
    shared = set.intersection(*(set(cell.row_ids) for cell in cells))
    found = [[cell.only(shared) for cell in side] for side in sides]
    return found if len(set(found[0][0].labels.tolist())) == 2 else "one class alone"


def _auc(counts: Tally, threshold: float | None = None) -> dict[Key, Any]:
    """What is compared; it needs no threshold."""
    return {KEY: auc(counts)}


def _pairs(sides: tuple[Side, Side], entries: Mapping[str, tuple[Sequence[Entry], ...]]) -> dict[str, Pair | str]:
    """The pair on every subset of a setting, from the same bootstrap samples; or the reason for a hole."""
    read = {
        subset: common([[scored.read(s.results, entry) for entry in side] for s, side in zip(sides, both, strict=True)])
        for subset, both in entries.items()
    }
    same = (sides[0].results.root, sides[0].method) == (sides[1].results.root, sides[1].method)
    drawn = sampled(read)
    return {s: both if isinstance(both, str) else pair(both[0], both[1], same) for s, both in drawn.items()}


def sampled(parts: Mapping[str, list[list[Scored]] | str]) -> dict[str, list[list[Scored]] | str]:
    """The cells of every subset with their AUC on the same bootstrap samples; reasons for holes stay."""
    sides = [side for part in parts.values() if not isinstance(part, str) for side in part]
    drawn = iter(scored.resampled([cell for side in sides for cell in side], _auc))
    return {
        subset: part if isinstance(part, str) else [[next(drawn) for _ in side] for side in part]
        for subset, part in parts.items()
    }


def pair(one: Sequence[Scored], other: Sequence[Scored], same_fits: bool = False) -> Pair:
    """Two sides of :func:`sampled` cells on the same images, by seed."""
    joined = [seeds.joined([seeds.one(float(auc(c.counts)), c.draws[KEY]) for c in side]) for side in (one, other)]
    return Pair(joined[0], joined[1], one[0].n_real, one[0].n_fake, (one, other), same_fits=same_fits)


def over_title(over: Sequence[str]) -> str:
    """The name of a mean over chosen subsets."""
    return f"mean:{'+'.join(over)}"


def between(one: Side, other: Side, names: tuple[str, str], over: Sequence[str] = ()) -> pd.DataFrame:
    """AUC of ``one`` minus AUC of ``other`` in every setting: on each shared subset, then the means by relation.

    Settings that have all subsets of ``over`` end with the mean over these. ``effect``, ``low`` and ``high`` are in
    −1…1; ``p_holm`` is missing until :func:`corrected`. A hole has a reason.
    """
    cells = one.cells(), other.cells()
    rows = []
    for setting in sorted(cells[0].keys() & cells[1].keys()):
        subsets = sorted(cells[0][setting].keys() & cells[1][setting].keys())
        pairs = _pairs((one, other), {s: (cells[0][setting][s], cells[1][setting][s]) for s in subsets})
        first = cells[0][setting][subsets[0]]
        if first[0].task == "detect":
            beside = one.results.read_matrix().beside
            averaged = [subset for subset in subsets if (first[0].dataset, subset) not in beside]
            relation = {subset: cells[0][setting][subset][0].relation for subset in averaged}
            pairs |= means(pairs, relation, over)
        head = {"schema": SCHEMA, "one": names[0], "other": names[1], **dict(zip(SETTING, setting, strict=True))}
        rows += [head | {"subset": s, "metric": "auc", "seeds": len(first)} | numbers(p) for s, p in pairs.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict(COLUMNS))


def means(
    pairs: Mapping[str, Pair | str], relation: Mapping[str, str], over: Sequence[str] = ()
) -> dict[str, Pair | str]:
    """The means over subsets by relation, and over the chosen subsets if all exist."""
    members = {
        title: [subset for subset in relation if relation[subset] in relations]
        for title, relations in AGGREGATES.items()
    }
    if over and pairs.keys() >= set(over):
        members[over_title(over)] = list(over)
    found = {title: subsets for title, subsets in members.items() if len(subsets) > (title == JOINT)}
    return {title: _mean({subset: pairs[subset] for subset in subsets}) for title, subsets in found.items()}


def _mean(members: Mapping[str, Pair | str]) -> Pair | str:
    holes = sorted(subset for subset, pair in members.items() if isinstance(pair, str))
    if holes:
        return f"no average without {', '.join(holes)}"
    pairs = [pair for pair in members.values() if not isinstance(pair, str)]
    one, other = (seeds.mean([getattr(pair, name) for pair in pairs]) for name in ("one", "other"))
    effects = tuple(pair.one.value - pair.other.value for pair in pairs)
    n_real, n_fake = (sum(getattr(pair, name) for pair in pairs) for name in ("n_real", "n_fake"))
    same = all(pair.same_fits for pair in pairs)
    return Pair(one, other, n_real, n_fake, subsets=effects, same_fits=same)


def _tests(pair: Pair) -> tuple[Spread, str, dict[str, float]]:
    """The variance of a pair's difference, its source, and the p-values of further tests."""
    if len(pair.subsets) >= MIN_SUBSETS:
        return pair.spread, "", {"p_wilcoxon": ranking.wilcoxon(pair.subsets)}
    if any(len(side) != 1 for side in pair.cells) or min(pair.n_real, pair.n_fake) < MIN_PER_CLASS:
        return pair.spread, "", {}
    (one,), (other,) = pair.cells
    right = [(cell.logits > 0) == (cell.labels == 1) for cell in (one, other)]
    _, spread = paired.delong(one.logits, other.logits, one.labels)
    return spread, "delong", {"p_mcnemar": paired.mcnemar(*right)}


def numbers(pair: Pair | str) -> dict[str, Any]:
    """The columns ``effect`` to ``reason`` of a pair or a hole, without those that are missing."""
    if isinstance(pair, str):
        return {"interval": "", "varies": "", "n_real": 0, "n_fake": 0, "reason": pair}
    effect = pair.one.value - pair.other.value
    numbers: dict[str, Any] = {"effect": effect, "n_real": pair.n_real, "n_fake": pair.n_fake, "reason": ""}
    if min(pair.n_real, pair.n_fake) < MIN_PER_CLASS:
        return numbers | {"interval": "", "varies": ""}
    spread, test, more = _tests(pair)
    found = intervals.around(effect, spread.variance, spread.df, signed=True)
    varies = pair.one.varies if pair.one.varies == pair.other.varies else TEST
    numbers |= {"low": found.low, "high": found.high, "p": seeds.p_value(effect, spread), **more}
    numbers |= {"se": math.sqrt(spread.variance), "df": spread.df if math.isfinite(spread.df) else math.nan}
    return numbers | {"interval": test or found.method, "varies": varies}


def repeats(compared: pd.DataFrame) -> pd.Series:
    """Which rows repeat another of the same setting, as the mean over all subsets does if all are out of family."""
    key = ["one", "other", *SETTING, "effect", "low", "high"]
    ordered = compared.sort_values("subset", key=lambda names: names.map(_importance), kind="stable")
    return (ordered.duplicated(key) & ordered["effect"].notna()).reindex(compared.index)


def _importance(subset: str) -> int:
    """Which of equal rows is kept: the smallest number."""
    return {"mean:out": 0, "mean:family": 2, JOINT: 3, "mean:all": 4}.get(subset, 1)


def printed(compared: pd.DataFrame) -> pd.Series:
    """Which rows the report prints: means and the training generator."""
    shown = compared["subset"].str.startswith("mean:") | (compared["subset"] == compared["train"])
    return shown & ~repeats(compared)


def corrected(compared: pd.DataFrame, family: pd.Series) -> pd.DataFrame:
    """The comparisons corrected for the rows of ``family``, which are read together.

    p-values by Holm's method, intervals by Bonferroni's: all of them hold together with 95 %. A corrected interval can
    include 0 where Holm's p is just below 5 %, which is the more powerful of the two.
    """
    p = compared["p"].where(family)
    level = 1 - (1 - intervals.LEVEL) / max(int(p.notna().sum()), 1)
    ends = [
        intervals.around(effect, se**2, df, signed=True, level=level) if known else None
        for effect, se, df, known in zip(
            *(compared["effect"], compared["se"], compared["df"].fillna(math.inf), p.notna()), strict=True
        )
    ]
    lows, highs = ([getattr(end, name, math.nan) for end in ends] for name in ("low", "high"))
    p_holm = ranking.holm(p.to_numpy(np.float64))
    return compared.assign(p_holm=p_holm, corrected_low=lows, corrected_high=highs)


def compute(results: Results) -> pd.DataFrame:
    """The comparisons of a results folder: its matrix names the pairs."""
    pairs = results.read_matrix().pairs
    parts = [between(Side(results, one), Side(results, other), (one, other)) for one, other in pairs]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS)).astype(dict(COLUMNS))
    compared = pd.concat(parts, ignore_index=True)
    return corrected(compared, printed(compared))


def read(results: Results) -> pd.DataFrame:
    """Read ``comparisons.csv``. Raises UserError if it does not exist or has other columns."""
    return read_csv(results.comparisons, COLUMNS)
