"""Semantic shift of every slice of a results folder, from its probe values alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics.means import Estimate
from bench.metrics.shift import Shift, difference, shift
from bench.results.folder import ProbeEntry, Results

PLAIN, CAPTIONED = "lpips", "lpips+caption"
#: The condition under which each probe is reported.
CONDITIONS = {PLAIN: "without captions", CAPTIONED: "with captions"}
#: One slice: dataset, subset, protocol.
_SLICE = ("dataset", "subset", "protocol")
COLUMNS = (
    *(*_SLICE, "condition", "real", "real_low", "real_high", "fake", "fake_low", "fake_high"),
    *("delta", "delta_low", "delta_high", "effect", "auc", "n_real", "n_fake"),
    *("difference", "difference_low", "difference_high", "reason"),
)


def compute(results: Results) -> pd.DataFrame:
    """One row per slice and condition: mean distances of both classes, Δ, effect size and AUC, with intervals.

    ``difference`` is Δ with captions minus Δ without; it is in the row with captions. A hole has a reason. Slices are
    in the order of the folder's columns, ``raw`` first.
    """
    matrix = results.read_matrix()
    probes: dict[tuple[str, ...], dict[str, ProbeEntry]] = defaultdict(dict)
    for probe in matrix.probes:
        if probe.name in CONDITIONS:
            probes[probe.dataset, probe.subset, probe.protocol][probe.name] = probe
    order = {(column.dataset, column.subset): index for index, column in enumerate(matrix.columns)}
    names = sorted(probes, key=lambda n: (n[2] != "raw", n[2], order[n[0], n[1]]))
    rows = [
        dict(zip(_SLICE, name, strict=True)) | {"condition": CONDITIONS[probe]} | numbers
        for name in names
        for probe, numbers in _measure(results, probes[name]).items()
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"n_real": "Int64", "n_fake": "Int64", "reason": "str"})


def _measure(results: Results, probes: Mapping[str, ProbeEntry]) -> dict[str, dict[str, Any]]:
    """The numbers of one slice by probe, or the reason why it is a hole."""
    reason = next((p.reason for p in probes.values() if p.reason), "")
    missing = [probe for probe in CONDITIONS if probe not in probes]
    if reason or missing:
        return _hole(reason or f"not probed: {', '.join(missing)}")
    tables = {probe: results.read_probe(probes[probe].values) for probe in CONDITIONS}
    labels = np.asarray(tables[PLAIN]["label"], np.int64)
    if tables[PLAIN]["row_id"] != tables[CAPTIONED]["row_id"]:
        return _hole("the two probes were not made of the same images")
    if len(set(labels.tolist())) < 2:
        return _hole("one class alone")
    values = {probe: np.asarray(table["value"], np.float64) for probe, table in tables.items()}
    numbers = {probe: _numbers(shift(values[probe], labels)) for probe in CONDITIONS}
    numbers[CAPTIONED] |= _estimate("difference", difference(values[CAPTIONED], values[PLAIN], labels))
    return numbers


def _hole(reason: str) -> dict[str, dict[str, Any]]:
    return {probe: {"reason": reason} for probe in CONDITIONS}


def _numbers(measured: Shift) -> dict[str, Any]:
    estimates = {"real": measured.real, "fake": measured.fake, "delta": measured.delta}
    numbers: dict[str, Any] = {}
    for name, estimate in estimates.items():
        numbers |= _estimate(name, estimate)
    facts = {name: getattr(measured, name) for name in ("effect", "auc", "n_real", "n_fake")}
    return {**numbers, **facts, "reason": ""}


def _estimate(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
