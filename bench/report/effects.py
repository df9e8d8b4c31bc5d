"""What was measured of the papers' claims: one row per quantity, source and protocol, with an interval."""

from __future__ import annotations

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
from bench.suites.effects import Effect, Measure, pairs
from bench.suites.probed import Probed

#: One row per measure and protocol. ``value``, ``low`` and ``high`` are a difference of AUCs in −1…1, of means in the
#: unit of the experiment, or a ratio of times, as ``unit`` says. ``shown``, ``opposite`` and ``open`` count the
#: generators whose own interval lies on the claimed side, on the other, or on both; all are 0 if there is one
#: generator alone. ``images`` is the number of images, and ``varies`` what the interval includes.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("effect", "measure", "source", "label", "protocol", "unit"), "str"),
    **dict.fromkeys(("value", "low", "high"), "float64"),
    "verdict": "str",
    **dict.fromkeys(("shown", "opposite", "open", "images"), "int64"),
    **dict.fromkeys(("varies", "reason"), "str"),
}
#: Units that the page prints in a way of their own.
AUC, TIMES = "AUC", "times"
_TEST = "test sampling only"
_COUNTS = ("shown", "opposite", "open")
_EMPTY = dict.fromkeys(("protocol", "unit", "verdict", "varies", "reason"), "") | dict.fromkeys((*_COUNTS, "images"), 0)
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
        head = {"schema": SCHEMA, "effect": name, "measure": measure.title, "source": measure.source}
        head |= {"label": results.read_matrix().label}
        made = _auc(measure, results, compared) if measure.compare else _probed(measure, results)
        lines += [{**_EMPTY, **head, **line} for line in made]
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(dict(COLUMNS))


def _line(measure: Measure, found: Estimate, each: Sequence[Estimate]) -> dict[str, Any]:
    """A value with its interval and verdict, and the verdicts of each generator."""
    verdicts = [_verdict(measure, one) or "open" for one in each]
    counts = {name: verdicts.count(name) for name in _COUNTS} if len(each) > 1 else {}
    return {"value": found.value, "low": found.low, "high": found.high, "verdict": _verdict(measure, found)} | counts


def _verdict(measure: Measure, found: Estimate) -> str:
    """What an interval says; nothing if there is none."""
    return "" if np.isnan([found.low, found.high]).any() else measure.verdict(found.low, found.high)


def _averaged(measure: Measure, results: Results) -> set[str]:
    """The subsets of a mean that a measure is about; none for a single subset."""
    dataset, _, subset = measure.of.partition(":")
    matrix, relations = results.read_matrix(), AGGREGATES.get(subset, ())
    return {
        entry.subset
        for entry in matrix.entries
        if (entry.train, entry.dataset) == (measure.train, dataset)
        and entry.relation in relations
        and (dataset, entry.subset) not in matrix.beside
    }


def _auc(measure: Measure, results: Results, compared: _Compared) -> Iterator[dict[str, Any]]:
    """The difference of two methods' AUC for each pair of protocols."""
    dataset, _, subset = measure.of.partition(":")
    pair, averaged = measure.compare or ("", ""), _averaged(measure, results)
    found = compared(measure.source, pair)
    found = found[(found["train"] == measure.train) & (found["dataset"] == dataset)]
    if subset not in set(found["subset"]):
        yield {"reason": f"there is no test of {' and '.join(pair)} on {measure.of}, trained on {measure.train}"}
        return
    estimates = [Estimate(*numbers) for numbers in found[["effect", "low", "high"]].to_numpy(np.float64)]
    found = found.assign(estimate=estimates)
    for place, part in found.groupby(["train_protocol", "protocol"], sort=False):
        line = part[part["subset"] == subset].iloc[0]
        each = part.loc[part["subset"].isin(averaged), "estimate"]
        facts = {"protocol": " → ".join(place), "unit": AUC, "varies": line["varies"], "reason": line["reason"]}
        yield facts | {"images": line["n_real"] + line["n_fake"]} | _line(measure, line["estimate"], list(each))


def _probed(measure: Measure, results: Results) -> Iterator[dict[str, Any]]:
    """Quantities that probes measure, under each protocol."""
    experiment = experiments.load(measure.source)
    if not isinstance(experiment, Probed):
        raise TypeError(f"{measure.source} is an experiment of detectors; it has no values.")
    if measure.ratio:
        yield from _ratio(measure, results, experiment)
        return
    tables = [_tables(results, experiment.values[name]) for name in measure.fakes or measure.shift]
    for protocol in dict.fromkeys(place[-1] for place in tables[0]):
        places = [place for place in tables[0] if place[-1] == protocol and all(table.get(place) for table in tables)]
        if not places:
            yield {"protocol": protocol, "reason": "no image has a value"}
            continue
        pools = [{key: pair for place in places for key, pair in table[place].items()} for table in tables]
        found, images = _estimate(measure, pools)
        each = [_estimate(measure, [table[place] for table in tables])[0] for place in places]
        facts = {"protocol": protocol, "unit": experiment.quantity, "varies": _TEST, "images": images}
        yield facts | _line(measure, found, each)


def _tables(results: Results, probe: str) -> dict[tuple[str, str, str], _Values]:
    """The values of a probe by dataset, subset and protocol."""
    entries = [entry for entry in results.read_matrix().probes if entry.name == probe]
    return {(e.dataset, e.subset, e.protocol): probed.values(results, e) for e in entries}


def _estimate(measure: Measure, tables: Sequence[_Values]) -> tuple[Estimate, int]:
    """A quantity with its interval, from the images that all tables have, and their number."""
    shared = [key for key in tables[0] if all(key in table for table in tables)]
    labels = np.array([tables[0][key][1] for key in shared], np.int64)
    values = [np.array([table[key][0] for key in shared], np.float64) for table in tables]
    if measure.fakes:
        fake = labels == 1
        return means.mean((values[0] - values[1])[fake]), int(fake.sum())
    if len(values) == 1:
        return shift.shift(values[0], labels).delta, len(shared)
    first, second = values
    return shift.difference(second, first, labels), len(shared)


def _ratio(measure: Measure, results: Results, experiment: Probed) -> Iterator[dict[str, Any]]:
    """Seconds per image of one value over those of another."""
    names = [experiment.values[name] for name in measure.ratio or ()]
    entries = {e.name: e for e in results.read_matrix().probes if e.name in names and not e.reason}
    if len(entries) < len(names):
        yield {"reason": "one of the two has no times"}
        return
    times = [shown.read_times(results, entries[name].values) for name in names]
    one, other = (np.array([time.seconds for time in part], np.float64) for part in times)
    facts = {"protocol": "", "unit": TIMES, "varies": f"repetitions on {cost.machine(results)}"}
    yield facts | {"images": times[0][0].images} | _line(measure, means.ratio(one, other), [])
