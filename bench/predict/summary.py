"""What the scores of labelled images say of each detector, and its worst mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.metrics import classification as metrics
from bench.metrics import intervals
from bench.metrics.classification import Tally
from bench.metrics.intervals import Interval

#: Resamples of the images behind the intervals of AP and of TPR at a false positive rate.
_RESAMPLES = 1000
#: Mistakes that are named, of each detector.
_WORST = 5


@dataclass(frozen=True)
class Measured:
    """One metric of one detector; the interval is None where a class has too few images."""

    method: str
    metric: str
    value: float
    interval: Interval | None


def _bootstrapped(counts: Tally, metric: Callable[[Tally], Any], value: float) -> Interval:
    """The interval of a metric by the variance over resampled images, each class by itself; seeded.

    At 0 or 1, where resamples do not vary, it is Wilson's for the number of fakes.
    """
    rng = np.random.default_rng(0)
    classes = (counts.real, counts.fake)
    parts = [rng.multinomial(int(n.sum()), n / n.sum(), _RESAMPLES).astype(np.float64) for n in classes]
    variance = float(np.var(metric(Tally(counts.scores, *parts)), ddof=1))
    if variance < 1e-9 or not 0 < value < 1:
        return Interval(*intervals.wilson(value, float(counts.n_fake)), "wilson")
    return intervals.around(value, variance)


def _of(method: str, used: Sequence[dict[str, Any]], fpr: float) -> Iterator[Measured]:
    """The metrics of one detector on labelled images with a score."""
    labels = np.asarray([line["label"] for line in used])
    counts = metrics.tally(np.asarray([line["logit"] for line in used], np.float32), labels)
    right = float(np.mean([(line["logit"] > line["threshold"]) == bool(line["label"]) for line in used]))
    yield Measured(method, "ACC", right, Interval(*intervals.wilson(right, len(used)), "wilson"))
    if len(set(labels.tolist())) < 2:
        return
    enough = min(counts.n_real, counts.n_fake) >= intervals.MIN_PER_CLASS
    yield Measured(method, "AUC", float(metrics.auc(counts)), intervals.of_auc(counts) if enough else None)
    tpr = partial(metrics.tpr_at_fpr, fpr=fpr)
    others: dict[str, Callable[[Tally], Any]] = {"AP": metrics.average_precision, f"TPR at {100 * fpr:g} % FPR": tpr}
    for name, metric in others.items():
        value = float(metric(counts))
        yield Measured(method, name, value, _bootstrapped(counts, metric, value) if enough else None)


def measured(lines: Sequence[dict[str, Any]], fpr: float) -> list[Measured]:
    """ACC at each detector's threshold, AUC, AP and TPR at a false positive rate, of labelled images with a score.

    A detector whose images are all of one class has the accuracy alone.
    """
    usable = [line for line in lines if line["label"] is not None and line["logit"] is not None]
    methods = dict.fromkeys(line["method"] for line in usable)
    return [
        one for method in methods for one in _of(method, [line for line in usable if line["method"] == method], fpr)
    ]


def worst(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mistakes of each detector that are farthest from its threshold, the worst first."""
    wrong = [
        line
        for line in lines
        if line["label"] is not None
        and line["logit"] is not None
        and (line["logit"] > line["threshold"]) != bool(line["label"])
    ]
    wrong.sort(key=lambda line: (-abs(line["logit"] - line["threshold"]), line["path"]))
    methods = dict.fromkeys(line["method"] for line in lines)
    return [line for method in methods for line in [w for w in wrong if w["method"] == method][:_WORST]]
