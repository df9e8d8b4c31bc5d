"""Semantic shift of every slice of a results folder, from its probe values alone."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.metrics.shift import Estimate, Shift, difference, shift
from bench.recipe import content_key
from bench.results.folder import ProbeEntry, Results

PLAIN, CAPTIONED = "lpips", "lpips+caption"
CONDITIONS = ("without captions", "with captions")
_NUMBERS = ("real", "real_low", "real_high", "fake", "fake_low", "fake_high", "delta", "delta_low", "delta_high")


@dataclass(frozen=True)
class Line:
    """One slice: its shift without and with captions, Δ with captions minus Δ without, or the reason of a hole."""

    dataset: str
    subset: str
    protocol: str
    plain: Shift | None
    captioned: Shift | None
    gain: Estimate | None
    reason: str = ""


def _line(results: Results, place: tuple[str, str, str], probes: dict[str, ProbeEntry]) -> Line:
    reason = next((p.reason for p in probes.values() if p.reason), "")
    missing = [name for name in (PLAIN, CAPTIONED) if name not in probes]
    if reason or missing:
        return Line(*place, None, None, None, reason or f"not probed: {', '.join(missing)}")
    plain, captioned = (results.read_probe(probes[name].values) for name in (PLAIN, CAPTIONED))
    labels = np.asarray(plain["label"], np.int64)
    if plain["row_id"] != captioned["row_id"]:
        return Line(*place, None, None, None, "the two probes were not made of the same images")
    if len(set(labels.tolist())) < 2:
        return Line(*place, None, None, None, "one class alone")
    values = [np.asarray(table["value"], np.float64) for table in (plain, captioned)]
    rng = np.random.default_rng(int(content_key([*place, plain["row_id"]])[:16], 16))
    without, given = (shift(v, labels, rng) for v in values)
    return Line(*place, without, given, difference(values[1], values[0], labels, rng))


def lines(results: Results) -> list[Line]:
    """Every probed slice in the order of the folder's columns, ``raw`` first."""
    matrix = results.read_matrix()
    found: dict[tuple[str, str, str], dict[str, ProbeEntry]] = defaultdict(dict)
    for probe in matrix.probes:
        if probe.name in (PLAIN, CAPTIONED):
            found[probe.dataset, probe.subset, probe.protocol][probe.name] = probe
    order = {(column.dataset, column.subset): index for index, column in enumerate(matrix.columns)}
    places = sorted(found, key=lambda p: (p[2] != "raw", p[2], order[p[0], p[1]]))
    return [_line(results, place, found[place]) for place in places]


def _triple(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def render(found: Sequence[Line]) -> str:
    """As CSV, a line a slice and condition: class means, Δ, effect, AUC; the difference of Δ stands with captions."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    tail = ("effect", "auc", "n_real", "n_fake", "difference", "difference_low", "difference_high", "reason")
    writer.writerow(["dataset", "subset", "protocol", "condition", *_NUMBERS, *tail])
    for line in found:
        for condition, told in zip(CONDITIONS, (line.plain, line.captioned), strict=True):
            place = [line.dataset, line.subset, line.protocol, condition]
            if told is None or line.gain is None:
                writer.writerow([*place, *[""] * (len(_NUMBERS) + len(tail) - 1), line.reason])
                continue
            numbers = [*_triple(told.real), *_triple(told.fake), *_triple(told.delta), told.effect, told.auc]
            gain = _triple(line.gain) if condition == CONDITIONS[1] else ("", "", "")
            written = [format(x, ".9g") if x != "" else "" for x in (*numbers, *gain)]
            writer.writerow([*place, *written[:11], told.n_real, told.n_fake, *written[11:], ""])
    return buffer.getvalue()
