"""95 % intervals: of rates, of an AUC, and of any metric from its variance, between its limits.

A percentile interval of few images, or of a value near 0 or 1, covers the truth less often than it says. Tests simulate
how often these do, down to :data:`MIN_PER_CLASS` images per class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.metrics.classification import Tally, auc

LEVEL = 0.95
#: With fewer images of a class there is no interval: so few say nothing about other images.
MIN_PER_CLASS = 20
Z = float(stats.norm.ppf((1 + LEVEL) / 2))


@dataclass(frozen=True)
class Interval:
    """The ends of a 95 % interval, and its method."""

    low: float
    high: float
    method: str


def wilson(rate: float, count: float, quantile: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a rate in 0…1 among ``count`` images (J. Am. Stat. Assoc. 1927)."""
    centre = (rate + quantile**2 / (2 * count)) / (1 + quantile**2 / count)
    spread = math.sqrt(rate * (1 - rate) / count + quantile**2 / (4 * count**2))
    half = quantile / (1 + quantile**2 / count) * spread
    return max(0.0, centre - half), min(1.0, centre + half)


def rates(shares: Sequence[tuple[float, float, int]]) -> Interval:
    """The interval of a weighted mean of rates of independent images: (weight, rate in 0…1, count) each.

    Wilson's intervals, put together as Newcombe does (Stat. Med. 1998; MOVER).
    """
    value = sum(weight * rate for weight, rate, _ in shares)
    ends = [wilson(rate, count) for _, rate, count in shares]
    below, above = (
        math.sqrt(sum((weight * (rate - end[side])) ** 2 for (weight, rate, _), end in zip(shares, ends, strict=True)))
        for side in (0, 1)
    )
    return Interval(value - below, value + above, "wilson")


def delong_components(counts: Tally) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each distinct score [K]: the share of fakes above it, and of reals below it; ties count one half.

    The AUC is the mean of the first over the reals, and of the second over the fakes (DeLong et al., Biometrics 1988).
    """
    of_real = (counts.fake_from - counts.fake / 2) / counts.n_fake
    of_fake = (counts.real_up_to - counts.real / 2) / counts.n_real
    return of_real, of_fake


def delong_variance(counts: Tally) -> float:
    """DeLong's variance of the AUC of counts [K]; needs two images of each class."""
    area, total = float(auc(counts)), 0.0
    for share, count in zip(delong_components(counts), (counts.real, counts.fake), strict=True):
        n = count.sum()
        total += float((count * (share - area) ** 2).sum() / ((n - 1) * n))
    return total


def smoothed(counts: Tally) -> Tally:
    """Counts [K] with one more image of each class below all others, and one above.

    As Agresti and Coull add two successes and two failures to a rate: the variance of an AUC near 1 rests on the few
    images that are out of order, and there may be none among these.
    """
    scores = counts.scores
    ends = [np.nextafter(scores[0], -np.inf), np.nextafter(scores[-1], np.inf)]
    real, fake = (np.concatenate([[1.0], part, [1.0]]) for part in (counts.real, counts.fake))
    return Tally(np.concatenate([ends[:1], scores, ends[1:]]).astype(np.float32), real, fake)


def of_auc(counts: Tally) -> Interval:
    """The interval of the AUC of counts [K]: Wilson's, for the number of images whose rate would vary as the AUC does.

    That number comes from DeLong's variance of the smoothed counts. ``python -m benchmarks.coverage`` compares it with
    DeLong's interval on the logit scale and with the percentile bootstrap.
    """
    more = smoothed(counts)
    area = float(auc(more))
    low, high = wilson(float(auc(counts)), area * (1 - area) / delong_variance(more))
    return Interval(low, high, "wilson-delong")


def around(
    value: float,
    variance: float,
    df: float = math.inf,
    share: bool = True,
    signed: bool = False,
    level: float = LEVEL,
) -> Interval:
    """The interval of a metric from its variance, by Student's t with ``df`` degrees of freedom.

    For a ``share`` it is Wilson's, for the number of images whose rate would vary as much; for any other metric it is
    on the log scale. So the ends stay between the limits, inside which ``value`` must lie. A ``signed`` difference is
    taken as it is.
    """
    quantile = float(stats.norm.ppf((1 + level) / 2) if math.isinf(df) else stats.t.ppf((1 + level) / 2, df))
    method, half = "z" if math.isinf(df) else "t", quantile * math.sqrt(variance)
    if signed:
        return Interval(value - half, value + half, method)
    if share:
        return Interval(*wilson(value, value * (1 - value) / variance, quantile), f"wilson-{method}")
    factor = math.exp(min(half / value, 700.0))
    return Interval(value / factor, value * factor, f"log-{method}")
