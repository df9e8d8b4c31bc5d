"""Means of photographs and of fakes, and their difference, for every probe of a results folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics.means import Estimate
from bench.metrics.shift import difference, shift
from bench.results.folder import ProbeEntry, Results

#: The subset that stands for the images of all generators together, each image once.
POOLED = "all"
_NUMBERS = ("real", "real_low", "real_high", "fake", "fake_low", "fake_high", "delta", "delta_low", "delta_high")
#: Columns of :func:`compute`.
COLUMNS = ("probe", "dataset", "subset", "protocol", *_NUMBERS, "effect", "auc", "n_real", "n_fake", "reason")
_ONE_CLASS = "one class alone"


def compute(results: Results, names: Mapping[str, str]) -> pd.DataFrame:
    """One row per probe and slice, and one per probe, dataset and protocol with its slices :data:`POOLED`.

    ``names`` maps what a row is called in ``probe`` to the probe. Means have Student's intervals and ``delta``, real −
    fake, has Welch's, all of 95 %. ``effect`` is ``delta`` in pooled standard deviations, ``auc`` that of the lower
    value as a sign of a fake. A hole has a ``reason``. Slices are in the order of the folder's columns.
    """
    matrix = results.read_matrix()
    order = {(column.dataset, column.subset): index for index, column in enumerate(matrix.columns)}
    lines: list[dict[str, Any]] = []
    for name, probe in names.items():
        entries = sorted((p for p in matrix.probes if p.name == probe), key=lambda p: order[p.dataset, p.subset])
        pools: dict[tuple[str, str], dict[str, tuple[float, int]]] = {}
        for entry in entries:
            place = {"probe": name, "dataset": entry.dataset, "subset": entry.subset, "protocol": entry.protocol}
            table = values(results, entry)
            lines.append(place | (_hole(entry.reason) if entry.reason else _numbers(table)))
            pools.setdefault((entry.dataset, entry.protocol), {}).update(table)
        for (dataset, protocol), table in pools.items():
            place = {"probe": name, "dataset": dataset, "subset": POOLED, "protocol": protocol}
            lines.append(place | _numbers(table))
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    return frame.astype({"n_real": "Int64", "n_fake": "Int64", "reason": "str"})


def values(results: Results, entry: ProbeEntry) -> dict[str, tuple[float, int]]:
    """Value and label of every image of a probe, by ``image_id``; empty for a hole."""
    if not entry.values:
        return {}
    table = results.read_probe(entry.values)
    return dict(zip(table["image_id"], zip(table["value"], table["label"], strict=True), strict=True))


def between(results: Results, one: ProbeEntry, other: ProbeEntry) -> Estimate | None:
    """``delta`` of the second probe minus that of the first, paired by image; None if they have no such images."""
    first, second = values(results, one), values(results, other)
    shared = [identity for identity in first if identity in second]
    labels = np.array([first[identity][1] for identity in shared], np.int64)
    if len(set(labels.tolist())) < 2:
        return None
    numbers = [np.array([table[identity][0] for identity in shared], np.float64) for table in (second, first)]
    return difference(numbers[0], numbers[1], labels)


def _hole(reason: str) -> dict[str, Any]:
    return {"reason": reason}


def _numbers(table: Mapping[str, tuple[float, int]]) -> dict[str, Any]:
    numbers = np.array([value for value, _ in table.values()], np.float64)
    labels = np.array([label for _, label in table.values()], np.int64)
    if len(set(labels.tolist())) < 2:
        return _hole(_ONE_CLASS if len(labels) else "no image has a value")
    found = shift(numbers, labels)
    made: dict[str, Any] = {name: getattr(found, name) for name in ("effect", "auc", "n_real", "n_fake")}
    for name in ("real", "fake", "delta"):
        estimate: Estimate = getattr(found, name)
        made |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return made | {"reason": ""}
