"""Metrics of a two-class detector from counts at each distinct score.

A :class:`Tally` holds the counts of reals and fakes at the ascending distinct scores, [..., K], so that one call
measures a cell or hundreds of its bootstrap samples. The positive class is label 1 = fake.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]
Values = NDArray[np.float64]
#: Number of equal bins of P(fake) for the expected calibration error, as in Guo et al., ICML 2017.
ECE_BINS = 15


@dataclass(frozen=True)
class Tally:
    """Images counted at each distinct score.

    ``scores`` [K] are ascending; ``real`` and ``fake`` are counts [..., K], whole or weighted.
    """

    scores: Logits
    real: Values
    fake: Values

    @cached_property
    def n_real(self) -> Values:
        """Number of reals [...]."""
        return np.asarray(self.real.sum(-1))

    @cached_property
    def n_fake(self) -> Values:
        """Number of fakes [...]."""
        return np.asarray(self.fake.sum(-1))

    @cached_property
    def real_up_to(self) -> Values:
        """Reals with this score or a lower one [..., K]."""
        return np.cumsum(self.real, -1)

    @cached_property
    def fake_up_to(self) -> Values:
        """Fakes with this score or a lower one [..., K]."""
        return np.cumsum(self.fake, -1)

    @cached_property
    def real_from(self) -> Values:
        """Reals with this score or a higher one [..., K]: false positives if the threshold is just below the score."""
        above: Values = self.n_real[..., None] - self.real_up_to + self.real
        return above

    @cached_property
    def fake_from(self) -> Values:
        """Fakes with this score or a higher one [..., K]: true positives if the threshold is just below the score."""
        above: Values = self.n_fake[..., None] - self.fake_up_to + self.fake
        return above

    @cached_property
    def p_fake(self) -> Values:
        """P(fake) at each score, the logistic function of the logit: float64 [K]."""
        logits = np.clip(self.scores.astype(np.float64), -700, 700)
        p: Values = 1 / (1 + np.exp(-logits))
        return p


def tally(logits: Logits, labels: Labels) -> Tally:
    """Count logits [N] by class; ``labels`` are 1 for fake and 0 for real [N]."""
    scores, index = np.unique(logits, return_inverse=True)
    counts = [np.bincount(index[labels == label], minlength=len(scores)).astype(np.float64) for label in (0, 1)]
    return Tally(scores, *counts)


def auc(counts: Tally) -> Values:
    """Area under the ROC curve; ties count one half. In 0…1, never flipped."""
    lower, tied = (np.einsum("...k,...k->...", counts.fake, part) for part in (counts.real_up_to, counts.real))
    area: Values = (lower - tied / 2) / (counts.n_real * counts.n_fake)
    return area


def average_precision(counts: Tally) -> Values:
    """Average precision of the fakes: the sum over thresholds of precision times the increase in recall."""
    called = counts.fake_from + counts.real_from
    precision = np.divide(counts.fake_from, np.maximum(called, 1, out=called), out=called)
    average: Values = np.einsum("...k,...k->...", precision, counts.fake) / counts.n_fake
    return average


def real_average_precision(counts: Tally) -> Values:
    """Average precision of the photographs, by 1 − P(fake): what code with label 1 for real reports as AP."""
    called = counts.real_up_to + counts.fake_up_to
    precision = np.divide(counts.real_up_to, np.maximum(called, 1))
    average: Values = np.einsum("...k,...k->...", precision, counts.real) / counts.n_real
    return average


def equal_error_rate(counts: Tally) -> Values:
    """The error rate at which as large a share of fakes is missed as of reals is called fake.

    Between two thresholds the ROC curve is a straight line.
    """
    n_real, n_fake = counts.n_real[..., None], counts.n_fake[..., None]
    # A threshold just above score k misses ``fake_up_to`` and wrongly calls n_real − ``real_up_to`` fake.
    after = (counts.fake_up_to * n_real + counts.real_up_to * n_fake < n_real * n_fake).sum(-1, keepdims=True)
    parts = (counts.fake_up_to, n_fake), (counts.real_up_to, n_real)
    before, shares = ([_at(part, place) / total for part, total in parts] for place in (after - 1, after))
    gaps = [part[0] + part[1] - 1 for part in (before, shares)]  # From −1 at the lowest threshold to 1 at the highest.
    step = gaps[1] / (gaps[1] - gaps[0])
    rate: Values = 1 - shares[1] + step * (shares[1] - before[1])
    return rate[..., 0]


def _at(cumulated: Values, place: NDArray[np.int64]) -> Values:
    """Cumulated counts [..., K] at places [..., 1]; 0 before the first."""
    found: Values = np.take_along_axis(cumulated, np.maximum(place, 0), -1)
    return np.where(place < 0, 0.0, found)


def tpr_at_fpr(counts: Tally, fpr: float) -> Values:
    """The largest share of fakes found by a threshold that calls at most a share ``fpr`` of the reals fake."""
    limit = (1 - fpr) * counts.n_real[..., None] - 1e-9
    place = (counts.real_up_to < limit).sum(-1, keepdims=True)  # The lowest threshold, just above this score.
    rate: Values = 1 - _at(counts.fake_up_to, place)[..., 0] / counts.n_fake
    return rate


def real_accuracy(counts: Tally, positive: NDArray[np.bool_]) -> Values:
    """Share of reals classified as real; ``positive`` bool [K] marks the scores that are classified as fake."""
    share: Values = counts.real @ ~positive / counts.n_real
    return share


def fake_accuracy(counts: Tally, positive: NDArray[np.bool_]) -> Values:
    """Share of fakes classified as fake; ``positive`` as in :func:`real_accuracy`."""
    share: Values = counts.fake @ positive / counts.n_fake
    return share


def accuracy(counts: Tally, positive: NDArray[np.bool_]) -> Values:
    """Share of all images classified correctly; ``positive`` as in :func:`real_accuracy`."""
    correct = counts.real @ ~positive + counts.fake @ positive
    share: Values = correct / (counts.n_real + counts.n_fake)
    return share


def balanced_accuracy(counts: Tally, positive: NDArray[np.bool_]) -> Values:
    """Mean of the accuracies on reals and on fakes; ``positive`` as in :func:`real_accuracy`."""
    return (real_accuracy(counts, positive) + fake_accuracy(counts, positive)) / 2


def oracle_accuracy(counts: Tally) -> Values:
    """The accuracy at the best threshold for these very images. No detector reaches it without their labels."""
    correct = np.maximum(counts.n_fake, (counts.real_up_to + counts.n_fake[..., None] - counts.fake_up_to).max(-1))
    share: Values = correct / (counts.n_real + counts.n_fake)
    return share


def brier_score(counts: Tally) -> Values:
    """Mean squared difference of P(fake) and label, in 0…1."""
    p = counts.p_fake
    mean: Values = (counts.real @ p**2 + counts.fake @ (1 - p) ** 2) / (counts.n_real + counts.n_fake)
    return mean


def negative_log_likelihood(counts: Tally) -> Values:
    """Mean negative log-likelihood of the labels, in nats, from logits; a constant P(fake) of 0.5 has 0.693."""
    logits = counts.scores.astype(np.float64)
    losses = counts.real @ np.logaddexp(0, logits) + counts.fake @ np.logaddexp(0, -logits)
    mean: Values = losses / (counts.n_real + counts.n_fake)
    return mean


def calibration_bins(p_fake: Values) -> NDArray[np.int64]:
    """The bin of each P(fake) [K]: int [K] in 0…:data:`ECE_BINS` − 1."""
    return np.minimum((p_fake * ECE_BINS).astype(np.int64), ECE_BINS - 1)


def expected_calibration_error(counts: Tally) -> Values:
    """Mean absolute difference between P(fake) and the share of fakes, over :data:`ECE_BINS` equal bins, in 0…1."""
    member = (calibration_bins(counts.p_fake)[:, None] == np.arange(ECE_BINS)).astype(np.float64)
    p = counts.p_fake[:, None]
    gaps = np.abs(counts.fake @ (member * (1 - p)) - counts.real @ (member * p)).sum(-1)
    mean: Values = gaps / (counts.n_real + counts.n_fake)
    return mean


@dataclass(frozen=True)
class Metric:
    """A metric, and the threshold rules under which it is reported; one that needs no threshold has none.

    ``compute`` takes a :class:`Tally`, and for a metric with rules also ``positive`` bool [K], which says which scores
    are called fake. Rules are ``0.5`` (probability 0.5, logit 0) and ``source_val`` (the threshold that the training
    source's validation images choose). ``least`` says that a small value is good. ``share`` says that the metric is
    in 0…1; otherwise it is at least 0. ``estimates`` is False if it says nothing of images other than the measured
    ones; it has no interval.
    """

    compute: Callable[..., Values]
    rules: tuple[str, ...] = ()
    least: bool = False
    share: bool = True
    estimates: bool = True

    def __call__(self, counts: Tally, positive: NDArray[np.bool_]) -> Values:
        """The metric of counts [..., K]; ``positive`` is ignored by a metric without a threshold."""
        return self.compute(counts, positive) if self.rules else self.compute(counts)


_BOTH = ("0.5", "source_val")
#: Every metric by its name in ``rows.csv``.
METRICS: Mapping[str, Metric] = {
    "acc": Metric(accuracy, _BOTH),
    "balanced_acc": Metric(balanced_accuracy, _BOTH),
    "oracle_acc": Metric(oracle_accuracy, estimates=False),
    "real_acc": Metric(real_accuracy, _BOTH),
    "fake_acc": Metric(fake_accuracy, _BOTH),
    "auc": Metric(auc),
    "ap": Metric(average_precision),
    "real_ap": Metric(real_average_precision),
    "eer": Metric(equal_error_rate, least=True),
    "tpr_at_1fpr": Metric(lambda counts: tpr_at_fpr(counts, 0.01)),
    "tpr_at_5fpr": Metric(lambda counts: tpr_at_fpr(counts, 0.05)),
    "brier": Metric(brier_score, least=True),
    "ece": Metric(expected_calibration_error, least=True),
    "nll": Metric(negative_log_likelihood, least=True, share=False),
}


def names() -> list[tuple[str, str]]:
    """Metric and threshold rule of every row of a cell."""
    return [(name, rule) for name, metric in METRICS.items() for rule in metric.rules or ("",)]


def compute_all(counts: Tally, threshold: float | None, without: Collection[str] = ()) -> dict[tuple[str, str], Any]:
    """Every metric of the counts, by (metric, threshold rule); without ``threshold`` no rule ``source_val``."""
    cuts = {"": 0.0, "0.5": 0.0, "source_val": threshold}
    return {
        (name, rule): METRICS[name](counts, counts.scores > cut)
        for name, rule in names()
        if (cut := cuts[rule]) is not None and name not in without
    }


def best_threshold(counts: Tally) -> float:
    """The threshold with the best accuracy on these counts [K]; an image is called fake if its logit is above it.

    It is half way between two scores, or 1 beyond the outermost score. Of equally good thresholds, it is the one
    nearest to 0. For the training source's validation images only.
    """
    scores = counts.scores.astype(np.float64)
    cuts = np.concatenate([[scores[0] - 1.0], (scores[1:] + scores[:-1]) / 2, [scores[-1] + 1.0]])
    right = counts.real_up_to + counts.n_fake - counts.fake_up_to
    correct = np.concatenate([[counts.n_fake], right])
    best = np.flatnonzero(correct == correct.max())
    return float(cuts[best[np.abs(cuts[best]).argmin()]])
