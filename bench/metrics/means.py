"""Means, their differences and ratios, with 95 % intervals from the values alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.metrics.intervals import LEVEL, MIN_PER_CLASS

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95 % interval, NaN for too few values."""

    value: float
    low: float
    high: float


def mean(values: Numbers) -> Estimate:
    """The mean of float [N] with Student's interval; no ends for fewer than :data:`MIN_PER_CLASS` values."""
    if len(values) < MIN_PER_CLASS:
        return Estimate(float(values.mean()), math.nan, math.nan)
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(LEVEL)
    return Estimate(float(values.mean()), float(interval.low), float(interval.high))


def gap(one: Numbers, other: Numbers) -> Estimate:
    """The mean of ``one`` [N] minus that of ``other`` [M] with Welch's interval; no ends for too few values."""
    value = float(one.mean() - other.mean())
    if min(len(one), len(other)) < MIN_PER_CLASS:
        return Estimate(value, math.nan, math.nan)
    interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(LEVEL)
    return Estimate(value, float(interval.low), float(interval.high))


def ratio(one: Numbers, other: Numbers) -> Estimate:
    """The geometric mean of ``one`` [N] over that of ``other`` [M], both positive, with Welch's interval of logarithms.

    Meant for repeated timings of one thing, so a few repetitions are enough; there are no ends for a single one.
    """
    first, second = np.log(one), np.log(other)
    value = math.exp(first.mean() - second.mean())
    if min(len(one), len(other)) < 2:
        return Estimate(value, math.nan, math.nan)
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(LEVEL)
    return Estimate(value, math.exp(interval.low), math.exp(interval.high))
