"""Metrics of a two-class detector from counts at each distinct score.

``real`` and ``fake`` are the counts of each class at the ascending distinct scores, float or int [..., K], so that one
call measures a cell or a thousand resamples of it. The positive class is label 1 = fake. All metrics are in 0…1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[Any]
Values = NDArray[np.float64]


def tally(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], Counts, Counts]:
    """Distinct scores ascending [K], and the counts of reals and fakes at each: int64 [K] twice."""
    scores, index = np.unique(logits, return_inverse=True)
    real = np.bincount(index[labels == 0], minlength=len(scores))
    fake = np.bincount(index[labels == 1], minlength=len(scores))
    return scores, real, fake


def auc(real: Counts, fake: Counts) -> Values:
    """Area under the ROC curve; ties count one half. In 0…1, never flipped."""
    below = np.cumsum(real, -1) - real
    pairs = real.sum(-1, dtype=np.float64) * fake.sum(-1)
    result: Values = (fake * (below + real / 2)).sum(-1) / pairs
    return result


def average_precision(real: Counts, fake: Counts) -> Values:
    """Average precision of the fakes: the sum over thresholds of precision times the increase in recall."""
    true = np.cumsum(fake[..., ::-1], -1)
    called = true + np.cumsum(real[..., ::-1], -1)
    precision = true / np.maximum(called, 1)
    result: Values = (precision * fake[..., ::-1]).sum(-1) / fake.sum(-1, dtype=np.float64)
    return result


def real_accuracy(real: Counts, positive: NDArray[np.bool_]) -> Values:
    """Share of reals classified as real; ``positive`` bool [K] marks the scores that are classified as fake."""
    result: Values = (real * ~positive).sum(-1) / real.sum(-1, dtype=np.float64)
    return result


def fake_accuracy(fake: Counts, positive: NDArray[np.bool_]) -> Values:
    """Share of fakes classified as fake; ``positive`` as in :func:`real_accuracy`."""
    result: Values = (fake * positive).sum(-1) / fake.sum(-1, dtype=np.float64)
    return result


def accuracy(real: Counts, fake: Counts, positive: NDArray[np.bool_]) -> Values:
    """Share of all images classified correctly; ``positive`` as in :func:`real_accuracy`."""
    correct = (real * ~positive).sum(-1) + (fake * positive).sum(-1)
    result: Values = correct / (real.sum(-1, dtype=np.float64) + fake.sum(-1))
    return result


@dataclass(frozen=True)
class Metric:
    """A metric, and the threshold rules under which it is reported; one of the ranking alone has none.

    ``compute`` takes the counts of reals and fakes, and for a metric with rules also ``positive`` bool [K], which says
    which scores are called fake. Rules are ``0.5`` (probability 0.5, logit 0) and ``source_val`` (the threshold that
    the training source's validation images choose).
    """

    compute: Callable[..., Values]
    rules: tuple[str, ...] = ()

    def __call__(self, real: Counts, fake: Counts, positive: NDArray[np.bool_]) -> Values:
        """The metric of counts [..., K]; ``positive`` is ignored by a metric of the ranking."""
        return self.compute(real, fake, positive) if self.rules else self.compute(real, fake)


#: Every metric by its name in ``rows.csv``.
METRICS: dict[str, Metric] = {
    "acc": Metric(accuracy, ("0.5", "source_val")),
    "auc": Metric(auc),
    "ap": Metric(average_precision),
    "real_acc": Metric(lambda real, fake, positive: real_accuracy(real, positive), ("0.5",)),
    "fake_acc": Metric(lambda real, fake, positive: fake_accuracy(fake, positive), ("0.5",)),
}


def best_threshold(scores: NDArray[np.float32], real: Counts, fake: Counts) -> float:
    """The threshold with the best accuracy on these counts; an image is classified as fake if its logit is above it.

    It is half way between two scores, or 1 beyond the outermost score. Of equally good thresholds, it is the one
    nearest to 0. For the training source's validation images only.
    """
    cuts = np.concatenate([[scores[0] - 1.0], (scores[1:].astype(np.float64) + scores[:-1]) / 2, [scores[-1] + 1.0]])
    correct = np.concatenate([[0], np.cumsum(real)]) + fake.sum() - np.concatenate([[0], np.cumsum(fake)])
    best = np.flatnonzero(correct == correct.max())
    return float(cuts[best[np.abs(cuts[best]).argmin()]])
