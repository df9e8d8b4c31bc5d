"""``comparisons.csv`` as a DataFrame: pairs of methods on the same images, from per-image scores alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import paired
from bench.metrics.paired import Paired
from bench.recipe import content_key
from bench.results.folder import SCHEMA, Entry, Results, write_text
from bench.results.frames import read_csv, to_csv
from bench.results.measure import AGGREGATES
from bench.types import OK, Scores

#: Two cells are compared if these agree: training source and protocol, dataset, test protocol.
SETTING = ("train", "train_protocol", "dataset", "protocol")
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("one", "other", *SETTING, "subset", "metric"), "str"),
    **dict.fromkeys(("effect", "low", "high", "p", "seed_sd"), "float64"),
    **dict.fromkeys(("seeds", "n_real", "n_fake"), "int64"),
    "reason": "str",
}
Cells = Mapping[tuple[str, ...], Mapping[str, Sequence[Entry]]]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a method (by label) of a results folder."""

    results: Results
    method: str

    def cells(self) -> Cells:
        """Its unperturbed test cells by setting and subset, one per seed."""
        cells: dict[tuple[str, ...], dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for entry in self.results.read_matrix().entries:
            if (entry.label, entry.role, entry.perturbation) == (self.method, "test", "none"):
                cells[tuple(getattr(entry, name) for name in SETTING)][entry.subset].append(entry)
        return cells


def _scores(side: Side, entries: Sequence[Entry]) -> list[Scores] | str:
    reason = next((entry.reason for entry in entries if entry.status != OK), None)
    return [side.results.read_scores(entry.scores) for entry in entries] if reason is None else reason


def _paired(sides: tuple[Side, Side], entries: tuple[Sequence[Entry], Sequence[Entry]], name: str) -> Paired | str:
    """The pair on one subset, over the images that every seed of both sides has scored; or the reason for a hole."""
    read = [_scores(side, cells) for side, cells in zip(sides, entries, strict=True)]
    reason = next((scores for scores in read if isinstance(scores, str)), None)
    if reason is not None:
        return reason
    all_scores = [scores for seeds in read if not isinstance(seeds, str) for scores in seeds]
    tables = [dict(zip(s.row_id, zip(s.logit, s.label, s.status, strict=True), strict=True)) for s in all_scores]
    if any(table.keys() != tables[0].keys() for table in tables):
        return "not scored on the same images"
    rows = [row for row in sorted(tables[0]) if all(table[row][2] == OK for table in tables)]
    labels = np.asarray([tables[0][row][1] for row in rows], np.int64)
    if len(set(labels.tolist())) < 2:
        return "one class alone"
    logits = [np.asarray([table[row][0] for row in rows], np.float32) for table in tables]
    rng = np.random.default_rng(int(content_key([name, rows])[:16], 16))
    return paired.paired(logits[: len(entries[0])], logits[len(entries[0]) :], labels, rng)


def over_title(over: Sequence[str]) -> str:
    """The name of a mean over chosen subsets."""
    return f"mean:{'+'.join(over)}"


def between(one: Side, other: Side, names: tuple[str, str], over: Sequence[str] = ()) -> pd.DataFrame:
    """AUC of ``one`` minus AUC of ``other`` in every setting: on each shared subset, then the means by relation.

    Settings that have all subsets of ``over`` end with the mean over these. ``effect``, ``low`` and ``high`` are in
    −1…1. A hole has a reason.
    """
    cells = one.cells(), other.cells()
    rows = []
    for setting in sorted(cells[0].keys() & cells[1].keys()):
        subsets = sorted(cells[0][setting].keys() & cells[1][setting].keys())
        pairs: dict[str, Paired | str] = {}
        for subset in subsets:
            entries = cells[0][setting][subset], cells[1][setting][subset]
            pairs[subset] = _paired((one, other), entries, f"{setting} {subset}")
        first = cells[0][setting][subsets[0]]
        if first[0].task == "detect":
            relation = {subset: cells[0][setting][subset][0].relation for subset in subsets}
            pairs |= _means(pairs, relation, over)
        head = {"schema": SCHEMA, "one": names[0], "other": names[1], **dict(zip(SETTING, setting, strict=True))}
        rows += [head | {"subset": s, "metric": "auc", "seeds": len(first)} | _numbers(p) for s, p in pairs.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict(COLUMNS))


def _means(
    pairs: Mapping[str, Paired | str], relation: Mapping[str, str], over: Sequence[str]
) -> dict[str, Paired | str]:
    """The means over subsets by relation, and over the chosen subsets if all exist."""
    members = {
        title: [subset for subset in relation if relation[subset] in relations]
        for title, relations in AGGREGATES.items()
    }
    if over and pairs.keys() >= set(over):
        members[over_title(over)] = list(over)
    return {title: _mean({s: pairs[s] for s in subsets}) for title, subsets in members.items() if subsets}


def _mean(members: Mapping[str, Paired | str]) -> Paired | str:
    holes = sorted(subset for subset, pair in members.items() if isinstance(pair, str))
    if holes:
        return f"no average without {', '.join(holes)}"
    return paired.mean([pair for pair in members.values() if not isinstance(pair, str)])


def _numbers(pair: Paired | str) -> dict[str, Any]:
    if isinstance(pair, str):
        return {"n_real": 0, "n_fake": 0, "reason": pair}
    return {**asdict(paired.verdict(pair)), "n_real": pair.n_real, "n_fake": pair.n_fake, "reason": ""}


def compute(results: Results) -> pd.DataFrame:
    """The comparisons of a results folder: its matrix names the pairs."""
    pairs = results.read_matrix().pairs
    parts = [between(Side(results, one), Side(results, other), (one, other)) for one, other in pairs]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS)).astype(dict(COLUMNS))


def render(compared: pd.DataFrame) -> str:
    """The comparisons as CSV text."""
    return to_csv(compared)


def write(results: Results) -> None:
    """Compute and write ``comparisons.csv``."""
    write_text(results.comparisons, render(compute(results)))


def read(results: Results) -> pd.DataFrame:
    """Read ``comparisons.csv``. Raises UserError if it does not exist or has other columns."""
    return read_csv(results.comparisons, COLUMNS)
