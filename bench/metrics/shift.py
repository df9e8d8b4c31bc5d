"""Semantic shift: the gap Δ between the distances of reals and of fakes to their reconstructions (SARE, eq. 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.metrics.bootstrap import RESAMPLES, percentile

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Shift:
    """The semantic shift of one slice, measured by one probe.

    ``real`` and ``fake`` are mean distances and ``delta`` is real − fake, all in the unit of the distance. ``effect``
    is ``delta`` divided by the pooled standard deviation. ``auc`` is the AUC of the negative distance as a score for
    fake, in 0…1.
    """

    real: Estimate
    fake: Estimate
    delta: Estimate
    effect: float
    auc: float
    n_real: int
    n_fake: int


def _split(values: Numbers, labels: NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    real, fake = values[labels == 0], values[labels == 1]
    if not len(real) or not len(fake):
        raise ValueError(f"Δ needs both classes; there are {len(real)} real and {len(fake)} fake values.")
    return real, fake


def _means(values: Numbers, rng: np.random.Generator) -> Numbers:
    """Means of :data:`~bench.metrics.bootstrap.RESAMPLES` bootstrap samples."""
    means: Numbers = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(1)
    return means


def _estimate(value: float, draws: Numbers) -> Estimate:
    return Estimate(float(value), *percentile(draws))


def shift(values: Numbers, labels: NDArray[np.int64], rng: np.random.Generator) -> Shift:
    """Δ of distances float [N] with labels int [N] (1 = fake). Raises ValueError if a class is missing."""
    real, fake = _split(values, labels)
    draws = _means(real, rng), _means(fake, rng)
    sd = np.sqrt(((len(real) - 1) * real.var(ddof=1) + (len(fake) - 1) * fake.var(ddof=1)) / (len(values) - 2))
    delta = real.mean() - fake.mean()
    auc = (real[:, None] > fake[None]).mean() + (real[:, None] == fake[None]).mean() / 2
    return Shift(
        _estimate(real.mean(), draws[0]),
        _estimate(fake.mean(), draws[1]),
        _estimate(delta, draws[0] - draws[1]),
        float(delta / sd) if sd > 0 else 0.0,
        float(auc),
        len(real),
        len(fake),
    )


def difference(first: Numbers, second: Numbers, labels: NDArray[np.int64], rng: np.random.Generator) -> Estimate:
    """Δ of ``first`` minus Δ of ``second``, by a paired bootstrap.

    Both are distances float [N] of the same images with labels int [N] (1 = fake). Raises ValueError if a class is
    missing.
    """
    real, fake = _split(first - second, labels)
    return _estimate(real.mean() - fake.mean(), _means(real, rng) - _means(fake, rng))
