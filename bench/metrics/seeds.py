"""Uncertainty of a mean over seeds: training sampling and test sampling together.

Detectors trained with several seeds and tested on the same images are what radiology calls readers and cases. The
variance of their mean is Obuchowski and Rockette's (Commun. Stat. Simul. Comput. 1995), with Hillis' degrees of freedom
(Stat. Med. 2007): the variance among seeds over the number of seeds, plus the covariance between seeds that the shared
images cause. With few seeds the interval is wide, because few seeds say little about others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
#: What an interval describes: the test images alone (one seed), or training as well.
TEST, BOTH = "test sampling only", "training and test sampling"


@dataclass(frozen=True)
class Seeds:
    """A metric of one detector with each of its seeds.

    ``values`` [S] are measured, ``draws`` [S, B] are those of bootstrap samples of the images; sample b is the same for
    every seed and every detector.
    """

    values: Values
    draws: NDArray[np.float32]

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return float(self.values.mean())

    @property
    def varies(self) -> str:
        """What differs between the values that the interval speaks of."""
        return BOTH if len(self.values) > 1 else TEST


@dataclass(frozen=True)
class Spread:
    """The variance of an estimate and its degrees of freedom, infinite if it is test sampling alone."""

    variance: float
    df: float


def one(value: float, draws: NDArray[np.float32]) -> Seeds:
    """A metric of one seed."""
    return Seeds(np.asarray([value]), draws[None])


def joined(members: Sequence[Seeds]) -> Seeds:
    """The seeds of several as one."""
    return Seeds(*(np.concatenate([getattr(member, name) for member in members]) for name in ("values", "draws")))


def mean(members: Sequence[Seeds]) -> Seeds:
    """The unweighted mean over subsets, seed by seed. Raises ValueError for different numbers of seeds."""
    if len({len(member.values) for member in members}) > 1:
        raise ValueError("a mean over subsets needs the same seeds on every subset.")
    values, draws = ([getattr(member, name) for member in members] for name in ("values", "draws"))
    return Seeds(np.stack(values).mean(0), np.stack(draws).mean(0, dtype=np.float64).astype(np.float32))


def _shared(first: Values, second: Values, same: bool) -> float:
    """The mean covariance of draws [S, B] between seeds; of one detector, between different seeds if it has several."""
    products = first @ second.T / (first.shape[1] - 1)
    if not same or len(first) == 1:
        return float(products.mean())
    return float((products.sum() - np.trace(products)) / (len(first) * (len(first) - 1)))


def _training(detector: Seeds) -> tuple[float, float]:
    """The variance of the mean that the seeds show, and its degrees of freedom."""
    count = len(detector.values)
    return (float(detector.values.var(ddof=1)) / count, count - 1) if count > 1 else (0.0, 1)


def _centred(detectors: Sequence[Seeds]) -> list[Values]:
    """The draws of every detector about their means, without the samples that lack a class in any of them."""
    draws = [detector.draws.astype(np.float64) for detector in detectors]
    usable = np.all([np.isfinite(d).all(0) for d in draws], axis=0)
    return [d[:, usable] - d[:, usable].mean(1, keepdims=True) for d in draws]


def _spread(training: Sequence[tuple[float, float]], testing: float) -> Spread:
    variance = sum(part for part, _ in training) + max(testing, 0.0)
    noise = sum(part**2 / df for part, df in training)
    return Spread(variance, variance**2 / noise if noise > 0 else math.inf)


def spread(detector: Seeds) -> Spread:
    """The variance of a detector's mean over seeds."""
    (centred,) = _centred([detector])
    return _spread([_training(detector)], _shared(centred, centred, True))


def difference(one: Seeds, other: Seeds) -> Spread:
    """The variance of the difference of two detectors' means, paired by image; their seeds are independent.

    If one of them has one seed, it is that of test sampling alone.
    """
    first, second = _centred([one, other])
    shared = _shared(first, first, True) + _shared(second, second, True) - 2 * _shared(first, second, False)
    several = min(len(one.values), len(other.values)) > 1
    return _spread([_training(one), _training(other)] if several else [], shared)


def within(one: Seeds, other: Seeds) -> Seeds:
    """The difference of two tests of the same fits, seed by seed: what a fit's luck adds to both cancels.

    Its :func:`spread` is that of the difference. Raises ValueError for different numbers of seeds.
    """
    if len(one.values) != len(other.values):
        raise ValueError("two tests of the same fits have the same seeds.")
    return Seeds(one.values - other.values, one.draws - other.draws)


def p_value(effect: float, found: Spread) -> float:
    """The two-sided p-value of a difference; 1 if it is 0, and 0 if it cannot vary."""
    if effect == 0:
        return 1.0
    if found.variance == 0:
        return 0.0
    return float(2 * stats.t.sf(abs(effect) / math.sqrt(found.variance), found.df))
