"""Compute every number of a results folder from its per-image scores, and write it.

``rows.csv`` has one row per seed, whose interval describes the test images alone. ``summary.csv`` has means over seeds,
whose interval describes training as well; ``ranks.csv`` and ``pairs.csv`` say which detectors differ, ``trivial.csv``
which are better than every trivial baseline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from bench.metrics import classification
from bench.results import numbers, rankings, rows, scored, summary, trivial
from bench.results.estimates import of_number
from bench.results.folder import SCHEMA, Entry, Results
from bench.results.frames import table, to_csv
from bench.results.numbers import Number
from bench.results.rows import Row
from bench.types import OK

#: The columns of a row that are copied from its cell.
_SHARED = tuple({f.name for f in fields(Row)} & {f.name for f in fields(Entry)})


def _rows_of(number: Number) -> Iterator[Row]:
    entry, sizes = number.entry, number.sizes
    for key in classification.names():
        value = number.values.get(key)
        if value is None and entry.status == OK:
            continue
        found = None if value is None else of_number(number, key)
        yield Row(
            **{name: getattr(entry, name) for name in _SHARED} | {"task": entry.task.partition(":")[0]},
            schema=SCHEMA,
            target=entry.task.partition(":")[2],
            geometry="native",
            metric=key[0],
            value=value,
            low=found.low if found else None,
            high=found.high if found else None,
            interval=found.method if found else "",
            n_real=sizes.real,
            n_fake=sizes.fake,
            n_listed=number.listed,
            n_failed=number.listed - sizes.real - sizes.fake,
            threshold_rule=key[1],
            origin="measured",
            source="",
        )


@dataclass(frozen=True)
class Measured:
    """The contents of ``rows.csv``, ``summary.csv``, ``ranks.csv``, ``pairs.csv`` and ``trivial.csv``."""

    rows: pd.DataFrame
    summary: pd.DataFrame
    ranks: pd.DataFrame
    pairs: pd.DataFrame
    trivial: pd.DataFrame

    def texts(self, results: Results) -> dict[Any, str]:
        """The text of each file, by its path in a results folder; of ``trivial.csv`` only if it has rows."""
        paths = (results.rows, results.summary, results.ranks, results.pairs)
        texts = dict(zip(paths, map(to_csv, (self.rows, self.summary, self.ranks, self.pairs)), strict=True))
        return texts | ({results.trivial: to_csv(self.trivial)} if len(self.trivial) else {})


def _by_method(found: Sequence[list[Number]]) -> list[list[list[Number]]]:
    """The seeds of every method of a setting."""
    methods: dict[tuple[str, str], list[list[Number]]] = defaultdict(list)
    for seed in found:
        methods[seed[0].entry.method, seed[0].entry.variant].append(seed)
    return list(methods.values())


def measure(results: Results) -> Measured:
    """Every number of a results folder, computed from its matrix and per-image scores alone."""
    kinds = {kind: rankings.of_kind(results, kind) for kind in ("detector", "ablation", "statistic")}
    beside = results.read_matrix().beside
    lines: list[Row] = []
    means: list[Any] = []
    ranks: list[Any] = []
    pairs: list[Any] = []
    above: list[Any] = []
    for cells in scored.by_setting(results):
        by_seed = numbers.of_setting(cells, beside)
        lines += [row for seed in by_seed for number in seed for row in _rows_of(number)]
        methods = _by_method(by_seed)
        means += summary.lines(methods)
        if (cells[0].entry.task, cells[0].entry.perturbation) == ("detect", "none"):
            found = rankings.detectors(methods)
            placed, compared = rankings.of_setting(found, kinds["ablation"] | kinds["statistic"])
            ranks += placed
            pairs += compared
            above += trivial.of_setting(found, kinds["detector"], kinds["statistic"])
    return Measured(
        rows.frame(lines),
        summary.frame(means),
        table(ranks, rankings.COLUMNS),
        table(pairs, rankings.PAIRS),
        table(above, trivial.COLUMNS),
    )
