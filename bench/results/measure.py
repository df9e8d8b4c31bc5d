"""Compute rows from per-image scores: every number of a results folder, with its interval and averages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import bootstrap, classification
from bench.recipe import content_key
from bench.results import rows
from bench.results.folder import SCHEMA, Entry, Results
from bench.results.rows import Row
from bench.types import OK, Scores

#: Averages over subsets, with the relations that each includes.
AGGREGATES = {"mean:all": ("source", "family", "out"), "mean:family": ("family",), "mean:out": ("out",)}
#: The columns of a row that are copied from its cell.
_SHARED = tuple({f.name for f in fields(Row)} & {f.name for f in fields(Entry)})
#: With fewer images of either class there is no interval: resampling so few says nothing about other images.
MIN_PER_CLASS = 5
Draws = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A cell's values and resampled values by (metric, threshold rule), and the data that they are computed from."""

    entry: Entry
    n_real: int = 0
    n_fake: int = 0
    n_listed: int = 0
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    draws: dict[tuple[str, str], Draws] = field(default_factory=dict)
    logits: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    threshold: float | None = None


def _metrics() -> list[tuple[str, str]]:
    """Metric and threshold rule of every row of a cell."""
    return [(name, rule) for name, metric in classification.METRICS.items() for rule in metric.rules or ("",)]


def scored(scores: Scores) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits and labels, both [N], of the images that were scored."""
    usable = np.asarray([status == OK for status in scores.status], bool)
    return np.asarray(scores.logit, np.float32)[usable], np.asarray(scores.label, np.int64)[usable]


def _threshold(results: Results, entry: Entry) -> float | None:
    if not entry.val:
        return None
    logits, labels = scored(results.read_scores(entry.val))
    return classification.best_threshold(*classification.tally(logits, labels))


def _measure(
    entry: Entry, logits: NDArray[np.float32], labels: NDArray[np.int64], threshold: float | None, listed: int
) -> Measured:
    scores, real, fake = classification.tally(logits, labels)
    rng = np.random.default_rng(int(content_key([entry.key, entry.dataset, entry.subset])[:16], 16))
    resampled = bootstrap.resample(real, rng), bootstrap.resample(fake, rng)
    values, draws = {}, {}
    for metric, rule in _metrics():
        cut = threshold if rule == "source_val" else 0.0
        if cut is None:
            continue
        compute, positive = classification.METRICS[metric], scores > cut
        values[metric, rule] = float(compute(real, fake, positive))
        draws[metric, rule] = compute(*resampled, positive)
    return Measured(entry, int(real.sum()), int(fake.sum()), listed, values, draws, logits, labels, threshold)


def measure_entry(results: Results, entry: Entry) -> Measured:
    """All metrics of one cell; none for a hole or for a cell without images of both classes."""
    if entry.status != OK:
        return Measured(entry)
    scores = results.read_scores(entry.scores)
    logits, labels = scored(scores)
    if len(set(labels.tolist())) < 2:
        reason = f"no readable {'fake' if 0 in labels else 'real'} image among {len(scores.label)}"
        empty = Entry(**{**vars(entry), "status": "failed", "reason": reason})
        return Measured(empty, n_listed=len(scores.label))
    return _measure(entry, logits, labels, _threshold(results, entry), len(scores.label))


def _rows_of(measured: Measured) -> list[Row]:
    entry = measured.entry
    failed = measured.n_listed - measured.n_real - measured.n_fake
    cell_rows = []
    for metric, rule in _metrics():
        value = measured.values.get((metric, rule))
        if value is None and entry.status == OK:
            continue
        has_interval = value is not None and min(measured.n_real, measured.n_fake) >= MIN_PER_CLASS
        low, high = bootstrap.percentile(measured.draws[metric, rule]) if has_interval else (None, None)
        cell_rows.append(
            Row(
                **{name: getattr(entry, name) for name in _SHARED} | {"task": entry.task.partition(":")[0]},
                schema=SCHEMA,
                target=entry.task.partition(":")[2],
                geometry="native",
                metric=metric,
                value=value,
                low=low,
                high=high,
                interval=bootstrap.NAME if has_interval else "",
                n_real=measured.n_real,
                n_fake=measured.n_fake,
                n_listed=measured.n_listed,
                n_failed=failed,
                threshold_rule=rule,
                origin="measured",
                source="",
            )
        )
    return cell_rows


#: Cells in which these agree are averaged over their subsets.
_group_key = attrgetter("method", "variant", "train", "train_protocol", "seed", "dataset", "protocol", "perturbation")


def _aggregate_entry(members: Sequence[Measured], subset: str) -> Entry:
    first = members[0].entry
    holes = [m.entry for m in members if m.entry.status != OK]
    reason = f"no average without {', '.join(sorted(e.subset for e in holes))}" if holes else ""
    identity = {
        "subset": subset,
        "relation": "",
        "status": "blocked" if holes else OK,
        "reason": reason,
        "key": content_key(sorted(m.entry.key for m in members)),
        "fit": next((m.entry.fit for m in members if m.entry.fit), ""),
    }
    return Entry(**{**vars(first), **identity})


def _mean(members: Sequence[Measured], subset: str) -> Measured:
    entry = _aggregate_entry(members, subset)
    counts = [sum(getattr(m, name) for m in members) for name in ("n_real", "n_fake", "n_listed")]
    if entry.status != OK:
        return Measured(entry, counts[0], counts[1], counts[2])
    keys = [key for key in _metrics() if all(key in m.values for m in members)]
    values = {key: float(np.mean([m.values[key] for m in members])) for key in keys}
    draws = {key: np.mean([m.draws[key] for m in members], axis=0) for key in keys}
    return Measured(entry, counts[0], counts[1], counts[2], values, draws)


def _pooled(members: Sequence[Measured]) -> Measured:
    entry = _aggregate_entry(members, "pooled")
    if entry.status != OK:
        return Measured(entry, n_listed=sum(m.n_listed for m in members))
    logits, labels = (np.concatenate([getattr(m, name) for m in members]) for name in ("logits", "labels"))
    return _measure(entry, logits, labels, members[0].threshold, sum(m.n_listed for m in members))


def measure(results: Results) -> pd.DataFrame:
    """Every row of a results folder, computed from its matrix and per-image scores alone."""
    groups: dict[tuple[str | int, ...], list[Measured]] = defaultdict(list)
    for entry in results.read_matrix().entries:
        if entry.role == "test":
            groups[_group_key(entry)].append(measure_entry(results, entry))
    measured: list[Measured] = []
    for members in groups.values():
        measured += members
        if members[0].entry.task == "detect":  # Attribution has only one slice.
            measured += _averages(members)
    return rows.frame(row for cell in measured for row in _rows_of(cell))


def _averages(members: Sequence[Measured]) -> list[Measured]:
    """The means over subsets by relation, and the metrics of all images pooled."""
    by_relation = {
        subset: [m for m in members if m.entry.relation in relations] for subset, relations in AGGREGATES.items()
    }
    return [*(_mean(part, subset) for subset, part in by_relation.items() if part), _pooled(members)]
