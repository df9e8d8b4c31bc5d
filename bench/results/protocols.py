"""``protocols.csv``: how much of a detector's AUC is the files', from scores of the same images under two protocols.

A fit on images as they are is tested raw and under another protocol; a fit under that protocol is tested under it. The
first difference is what the protocol takes away, the second what training under it gives back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.results import comparisons, scored
from bench.results.comparisons import Pair
from bench.results.folder import SCHEMA, Entry, Results
from bench.results.frames import read_csv, table
from bench.results.scored import Scored

RAW = "raw"
#: One row per detector, training source, dataset, other ``protocol`` and subset. ``raw`` is the AUC raw → raw,
#: ``moved`` raw → protocol, and ``own`` protocol → protocol, of the images that all of them have scored. ``lost`` is
#: raw − moved, ``gained`` own − moved, with intervals and p-values.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("method", "train", "dataset", "protocol", "subset"), "str"),
    **dict.fromkeys(("raw", "moved", "own", "lost", "lost_low", "lost_high", "lost_p"), "float64"),
    **dict.fromkeys(("gained", "gained_low", "gained_high", "gained_p"), "float64"),
    **dict.fromkeys(("seeds", "n_real", "n_fake"), "int64"),
    "reason": "str",
}
#: The places of raw → raw and raw → protocol: one detector tested twice.
_SAME_FITS = (0, 1)
#: Test cells of a detector by (training protocol, protocol) and subset, one per seed.
_Cells = Mapping[tuple[str, str], Mapping[str, Sequence[Entry]]]


def _groups(results: Results) -> Mapping[tuple[str, str, str], _Cells]:
    """The unperturbed cells of detection by label, training source and dataset."""
    found: dict[tuple[str, str, str], dict[tuple[str, str], dict[str, list[Entry]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for e in results.read_matrix().entries:
        if e.label and (e.role, e.perturbation, e.task) == ("test", "none", "detect"):
            found[e.label, e.train, e.dataset][e.train_protocol, e.protocol][e.subset].append(e)
    return found


def compute(results: Results) -> pd.DataFrame:
    """The table: a row for the training generator and for each mean; empty without raw fits under another protocol."""
    lines: list[dict[str, Any]] = []
    for (label, train, dataset), cells in _groups(results).items():
        for protocol in sorted({tested for trained, tested in cells if trained == RAW} - {RAW}):
            if (RAW, RAW) in cells:
                head = {"schema": SCHEMA, "method": label, "train": train, "dataset": dataset, "protocol": protocol}
                lines += [head | line for line in _lines(results, cells, protocol)]
    return table(lines, COLUMNS)


def _lines(results: Results, cells: _Cells, protocol: str) -> Iterator[dict[str, Any]]:
    settings = [(RAW, RAW), (RAW, protocol), *([(protocol, protocol)] if (protocol, protocol) in cells else [])]
    subsets = sorted(set.intersection(*(set(cells[setting]) for setting in settings)))
    read = {
        subset: comparisons.common([[scored.read(results, e) for e in cells[s][subset]] for s in settings], nested=True)
        for subset in subsets
    }
    parts = comparisons.sampled(read)
    entries = {subset: cells[RAW, RAW][subset][0] for subset in subsets}
    beside = results.read_matrix().beside
    averaged = {s: e.relation for s, e in entries.items() if (e.dataset, s) not in beside}
    lost, gained = (_pairs(parts, places, averaged) for places in (_SAME_FITS, (2, 1)))
    for subset, pair in lost.items():
        if subset.startswith("mean:") or subset == entries[subsets[0]].train:
            yield {"subset": subset, "seeds": len(cells[RAW, RAW][subsets[0]])} | _line(pair, gained.get(subset))


def _pairs(
    parts: Mapping[str, Sequence[Sequence[Scored]] | str], places: tuple[int, int], averaged: Mapping[str, str]
) -> dict[str, Pair | str]:
    """The difference of two settings on every subset and mean; empty if one of them was not run."""
    found: dict[str, Pair | str] = {}
    for subset, sides in parts.items():
        if isinstance(sides, str):
            found[subset] = sides
        elif max(places) < len(sides):
            found[subset] = comparisons.pair(sides[places[0]], sides[places[1]], same_fits=places == _SAME_FITS)
    return found | comparisons.means(found, averaged) if found else {}


def _line(lost: Pair | str, gained: Pair | str | None) -> dict[str, Any]:
    line: dict[str, Any] = {"n_real": 0, "n_fake": 0, "reason": lost if isinstance(lost, str) else ""}
    if not isinstance(lost, str):
        line |= {"raw": lost.one.value, "moved": lost.other.value, "n_real": lost.n_real, "n_fake": lost.n_fake}
    if gained is not None and not isinstance(gained, str):
        line["own"] = gained.one.value
    for name, pair in (("lost", lost), ("gained", gained)):
        if pair is not None and not isinstance(pair, str):
            numbers = comparisons.numbers(pair)
            line |= {name: numbers["effect"]}
            line |= {f"{name}_{part}": numbers[part] for part in ("low", "high", "p") if part in numbers}
    return line


def read(results: Results) -> pd.DataFrame:
    """Read ``protocols.csv``; empty if the folder has none. Raises UserError if it has other columns."""
    return read_csv(results.protocols, COLUMNS) if results.protocols.exists() else table([], COLUMNS)
