"""Curves behind metrics, from counts at each distinct score: the ROC curve, and the bins of the calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.metrics.classification import ECE_BINS, Tally, Values, calibration_bins


def roc(counts: Tally, fpr: Values) -> Values:
    """The true positive rate, in 0…1, at each false positive rate ``fpr`` [F] in 0…1, for counts [K].

    Between two thresholds the curve is a straight line, so that its area is :func:`~bench.metrics.classification.auc`.
    Where the curve is vertical, it is the upper end.
    """
    steps = [
        np.concatenate([[0.0], part[::-1] / total])
        for part, total in ((counts.real_from, counts.n_real), (counts.fake_from, counts.n_fake))
    ]
    # A rate of the grid, as 0.29, must find the step that is equal but for its last bit.
    before = np.searchsorted(steps[0], fpr + 1e-9, side="right") - 1
    after = np.minimum(before + 1, len(steps[0]) - 1)
    (low, high), (start, end) = ((part[before], part[after]) for part in steps)
    share = np.divide(fpr - low, high - low, out=np.zeros_like(fpr), where=high > low)
    rate: Values = start + np.clip(share, 0, 1) * (end - start)
    return rate


@dataclass(frozen=True)
class Reliability:
    """Images by P(fake), in :data:`~bench.metrics.classification.ECE_BINS` equal bins: sums [bins] of each.

    ``images`` counts all, ``fakes`` the fakes, and ``p_fake`` is the sum of P(fake).
    """

    images: Values
    p_fake: Values
    fakes: Values


def reliability(counts: Tally) -> Reliability:
    """The images of counts [K] in the bins of the expected calibration error."""
    bins, total = calibration_bins(counts.p_fake), counts.real + counts.fake
    parts = (total, total * counts.p_fake, counts.fake)
    return Reliability(*(np.bincount(bins, part, ECE_BINS).astype(np.float64) for part in parts))
