"""The interval that fits a metric: of a rate, of an AUC, of any other metric; with one seed or several."""

from __future__ import annotations

from collections.abc import Mapping

from scipy import stats

from bench.metrics import classification, intervals, seeds
from bench.metrics.intervals import Interval
from bench.metrics.seeds import Seeds
from bench.results.numbers import Number, Sizes
from bench.results.scored import Key, Scored

#: With fewer images out of order their variance says nothing. The interval is then no narrower than that of a rate of
#: as many images, so that a value of nearly 1 is not told more precisely than one of 1.
_FEW = 5


def _rates(key: Key, values: Mapping[Key, float], sizes: Sizes) -> Interval | None:
    """Wilson's interval of an accuracy at a fixed threshold; None for any other metric."""
    metric, rule = key
    total = sizes.real + sizes.fake
    weights = {
        "real_acc": (1.0, 0.0),
        "fake_acc": (0.0, 1.0),
        "balanced_acc": (0.5, 0.5),
        "acc": (sizes.real / total, sizes.fake / total),
    }
    if metric not in weights:
        return None
    found = [values["real_acc", rule], values["fake_acc", rule]]
    parts = zip(weights[metric], found, (sizes.real, sizes.fake), strict=True)
    return intervals.rates([part for part in parts if part[0]])


def _of_cell(cell: Scored, key: Key, sizes: Sizes) -> Interval | None:
    """The interval of one cell where its metric has a better one than the general; else None."""
    return intervals.of_auc(cell.counts) if key[0] == "auc" else _rates(key, cell.values, sizes)


def _edge(key: Key, value: float, values: Mapping[Key, float], sizes: Sizes, level: float) -> Interval | None:
    """The interval of a value that does not vary among samples, as an AUC of 1; None where there is none."""
    if key[0] == "auc":
        quantile = float(stats.norm.ppf((1 + level) / 2))
        return Interval(*intervals.wilson(value, min(sizes.real, sizes.fake), quantile), "wilson")
    return _rates(key, values, sizes)


def of_number(number: Number, key: Key) -> Interval | None:
    """The interval of one seed's metric, of the test images alone; None for too few images."""
    exact = _of_cell(number.cell, key, number.sizes) if number.cell and number.sizes.enough else None
    return exact or of_seeds(key, number.seeds.get(key), number.values, number.sizes)


def of_seeds(
    key: Key, found: Seeds | None, values: Mapping[Key, float], sizes: Sizes, level: float = intervals.LEVEL
) -> Interval | None:
    """The interval of a metric's mean over seeds; ``values`` are the means of all metrics.

    ``level`` is that of AUC; rates have 95 %. None for too few images and for a metric that is no estimate.
    """
    if found is None or not sizes.enough:
        return None
    spread = seeds.spread(found)
    metric, value = classification.METRICS[key[0]], found.value
    if spread.variance < 1e-12 or value <= 0 or (metric.share and value >= 1):
        return _edge(key, value, values, sizes, level)
    variance, images = spread.variance, min(sizes.real, sizes.fake)
    if metric.share and images * min(value, 1 - value) < _FEW:
        variance = max(variance, value * (1 - value) / images)
    return intervals.around(value, variance, spread.df, metric.share, level=level)
