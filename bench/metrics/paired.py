"""Two detectors on the same images: tests of one pair of score lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.metrics.classification import Labels, Logits, auc, tally
from bench.metrics.intervals import delong_components
from bench.metrics.seeds import Spread


def delong(one: Logits, other: Logits, labels: Labels) -> tuple[float, Spread]:
    """The difference of two AUCs on the same images [N], and its variance (DeLong et al., Biometrics 1988).

    Raises ValueError if a class has fewer than two images or the lengths differ.
    """
    if not len(one) == len(other) == len(labels):
        raise ValueError("paired logits must be of the same images, in the same order.")
    masks = labels == 0, labels == 1
    if min(mask.sum() for mask in masks) < 2:
        raise ValueError("DeLong's variance needs two images of each class.")
    areas, components = [], []
    for logits in (one, other):
        counts = tally(logits, labels)
        place = np.searchsorted(counts.scores, logits)
        areas.append(float(auc(counts)))
        components.append([share[place[mask]] for share, mask in zip(delong_components(counts), masks, strict=True)])
    variance = sum(float((first - second).var(ddof=1)) / len(first) for first, second in zip(*components, strict=True))
    return areas[0] - areas[1], Spread(variance, float("inf"))


def mcnemar(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """McNemar's exact two-sided p-value; ``one`` and ``other`` say which images [N] each detector classifies correctly.

    Only the images that one of them alone gets right count (Psychometrika 1947).
    """
    alone = int((one & ~other).sum()), int((other & ~one).sum())
    return float(stats.binomtest(alone[0], sum(alone)).pvalue) if sum(alone) else 1.0
