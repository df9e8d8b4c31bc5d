"""What was measured of the papers' claims: one row per quantity, source and protocol, with an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import means, shift
from bench.metrics.means import Estimate
from bench.report import cost
from bench.results import comparisons, probed, shown
from bench.results.comparisons import Side
from bench.results.folder import SCHEMA, Results
from bench.results.numbers import AGGREGATES
from bench.suites import experiment as experiments
from bench.suites.effects import VERDICTS, Effect, Measure, pairs
from bench.suites.probed import Probed

#: One row per measure (``key``) and protocol. ``value``, ``low`` and ``high`` are a difference of AUCs in −1…1, of
#: means in the unit of the experiment, or a ratio of times, as ``unit`` says. ``shown``, ``opposite`` and ``open``
#: count the generators whose own interval lies on the claimed side, on the other, or on both; all are 0 if there is one
#: generator alone. ``images`` is the number of images, and ``varies`` what the interval includes. A row without a value
#: has a ``reason``.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("effect", "measure", "key", "source", "label", "protocol", "unit"), "str"),
    **dict.fromkeys(("value", "low", "high"), "float64"),
    "verdict": "str",
    **dict.fromkeys((*VERDICTS, "images"), "int64"),
    **dict.fromkeys(("varies", "reason"), "str"),
}
#: Units that the page prints in a way of their own.
AUC, TIMES = "AUC", "times"
_TEST = "test sampling only"
_EMPTY: Mapping[str, Any] = {
    **dict.fromkeys(("protocol", "unit", "verdict", "varies", "reason"), ""),
    **dict.fromkeys((*VERDICTS, "images"), 0),
}
#: Value and label of every image, by its identity.
_Values = dict[str, tuple[float, int]]
_Compared = Callable[[str, tuple[str, str]], pd.DataFrame]


def measured(effects: Mapping[str, Effect], sources: Mapping[str, Results]) -> pd.DataFrame:
    """Every measure whose source is among ``sources``: experiment or ``board/NAME`` → results folder."""

    @cache
    def compared(source: str, pair: tuple[str, str]) -> pd.DataFrame:
        one, other = (Side(sources[source], name) for name in pair)
        return comparisons.between(one, other, pair)

    lines = []
    for name, measure in pairs(effects):
        if measure.source not in sources:
            continue
        results = sources[measure.source]
        head = {"schema": SCHEMA, "effect": name, "measure": measure.title, "key": measure.key}
        head |= {"source": measure.source, "label": results.read_matrix().label}
        made = _auc(measure, results, compared) if measure.compare else _probed(measure, results)
        lines += [{**_EMPTY, **head, **line} for line in made]
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(dict(COLUMNS))


def _line(measure: Measure, found: Estimate, each: Sequence[Estimate]) -> dict[str, Any]:
    """A value with its interval and verdict, and the verdicts of each generator that has an interval."""
    verdicts = [_verdict(measure, one) for one in each]
    counts = {name: verdicts.count(name) for name in VERDICTS} if len(each) > 1 else {}
    return {"value": found.value, "low": found.low, "high": found.high, "verdict": _verdict(measure, found)} | counts


def _verdict(measure: Measure, found: Estimate) -> str:
    """What an interval says; nothing if there is none."""
    return "" if np.isnan([found.low, found.high]).any() else measure.verdict(found.low, found.high)


def _averaged(measure: Measure, results: Results) -> set[str]:
    """The subsets of a mean that a measure is about; none for a single subset."""
    ((train, of), *_) = measure.places
    dataset, _, subset = of.partition(":")
    matrix, relations = results.read_matrix(), AGGREGATES.get(subset, ())
    return {
        entry.subset
        for entry in matrix.entries
        if (entry.train, entry.dataset) == (train, dataset)
        and entry.relation in relations
        and (dataset, entry.subset) not in matrix.beside
    }


def _auc(measure: Measure, results: Results, compared: _Compared) -> Iterator[dict[str, Any]]:
    """The difference of two methods' AUC for each pair of protocols."""
    pair, averaged = measure.compare or ("", ""), _averaged(measure, results)
    table = compared(measure.source, pair)
    table = table.assign(place=table["dataset"] + ":" + table["subset"])
    for place, part in table.groupby(["train_protocol", "protocol"], sort=False):
        by_place = part.set_index(["train", "place"])
        if not set(measure.places) <= set(by_place.index):
            continue
        lines = by_place.loc[measure.places]
        reasons = "; ".join(dict.fromkeys(reason for reason in lines["reason"] if reason))
        facts = {"protocol": " → ".join(place), "unit": AUC, "varies": lines["varies"].iloc[0], "reason": reasons}
        facts |= {"images": int(lines[["n_real", "n_fake"]].to_numpy().sum())}
        if reasons:
            yield facts
            continue
        each = part[(part["train"] == measure.places[0][0]) & part["subset"].isin(averaged)]
        spans = _estimates(lines if measure.each else each)
        yield facts | _line(measure, _joined(_estimates(lines)), spans)
    if not len(table) or not set(measure.places) <= set(zip(table["train"], table["place"], strict=True)):
        where = "; ".join(f"{of}, trained on {train}" for train, of in measure.places)
        yield {"reason": f"there is no test of {' and '.join(pair)} on {where}"}


def _estimates(lines: pd.DataFrame) -> list[Estimate]:
    return [Estimate(*numbers) for numbers in lines[["effect", "low", "high"]].to_numpy(np.float64)]


def _joined(found: Sequence[Estimate]) -> Estimate:
    """The mean of independent estimates: different detectors on different images."""
    if len(found) == 1:
        return found[0]
    value = float(np.mean([one.value for one in found]))
    half = math.hypot(*((one.high - one.low) / 2 for one in found)) / len(found)
    return Estimate(value, value - half, value + half)


def _probed(measure: Measure, results: Results) -> Iterator[dict[str, Any]]:
    """Quantities that probes measure, under each protocol."""
    experiment = experiments.load(measure.source)
    if not isinstance(experiment, Probed):
        raise TypeError(f"{measure.source} is an experiment of detectors; it has no values.")
    if measure.ratio:
        yield from _ratio(measure, results, experiment)
        return
    probes = [experiment.values[name] for name in measure.fakes or measure.shift]
    entries = [e for e in results.read_matrix().probes if e.name in probes]
    wanted = [e for e in entries if measure.of in ("", f"{e.dataset}:{e.subset}")]
    if not wanted:
        yield {"reason": "the probe was not measured"}
    for protocol in dict.fromkeys(e.protocol for e in wanted):
        own = [e for e in wanted if e.protocol == protocol]
        facts = {"protocol": protocol, "unit": experiment.quantity, "varies": _TEST}
        holes = dict.fromkeys(f"{e.subset}: {e.reason}" for e in own if e.reason)
        if holes:
            yield facts | {"reason": f"no average without {'; '.join(holes)}"}
            continue
        places: dict[tuple[str, str], dict[str, _Values]] = {}
        for entry in own:
            places.setdefault((entry.dataset, entry.subset), {})[entry.name] = probed.values(results, entry)
        tables = [[by_name.get(name, {}) for name in probes] for by_name in places.values()]
        pools = [dict(pair for table in column for pair in table.items()) for column in zip(*tables, strict=True)]
        found, images = _estimate(measure, pools)
        if found is None:
            yield facts | {"reason": "one class alone"}
            continue
        each = [one for table in tables if (one := _estimate(measure, table)[0]) is not None]
        yield facts | {"images": images} | _line(measure, found, each)


def _estimate(measure: Measure, tables: Sequence[_Values]) -> tuple[Estimate | None, int]:
    """A quantity with its interval, from the images that all tables have, and their number; None without a class."""
    shared = [key for key in tables[0] if all(key in table for table in tables)]
    labels = np.array([tables[0][key][1] for key in shared], np.int64)
    values = [np.array([table[key][0] for key in shared], np.float64) for table in tables]
    if not set(labels.tolist()) >= ({1} if measure.fakes else {0, 1}):
        return None, len(shared)
    if measure.fakes:
        fake = labels == 1
        return means.mean((values[0] - values[1])[fake]), int(fake.sum())
    if len(values) == 1:
        return shift.shift(values[0], labels).delta, len(shared)
    first, second = values
    return shift.difference(second, first, labels), len(shared)


def _ratio(measure: Measure, results: Results, experiment: Probed) -> Iterator[dict[str, Any]]:
    """Seconds per image of one value over those of another, on each slice."""
    names = [experiment.values[name] for name in measure.ratio or ()]
    places: dict[tuple[str, str, str], dict[str, str]] = {}
    for entry in results.read_matrix().probes:
        if entry.name in names and not entry.reason:
            places.setdefault((entry.dataset, entry.subset, entry.protocol), {})[entry.name] = entry.values
    if not any(len(files) == len(names) for files in places.values()):
        yield {"reason": "one of the two has no times"}
    for place, files in places.items():
        if len(files) == len(names):
            times = [shown.read_times(results, files[name]) for name in names]
            one, other = (np.array([time.seconds for time in part], np.float64) for part in times)
            varies = f"repetitions on {cost.machine(results)}"
            facts = {"protocol": place[-1], "unit": TIMES, "varies": varies, "images": times[0][0].images}
            yield facts | _line(measure, means.ratio(one, other), [])
