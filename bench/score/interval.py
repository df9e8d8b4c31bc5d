"""Stratified bootstrap: reals and fakes are resampled apart, so every resample has the cell's class balance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.score.binary import Counts

RESAMPLES = 1000
LEVEL = 0.95
NAME = f"stratified-bootstrap-{RESAMPLES}-95%"
_AT_ONCE = 100


def resample(counts: Counts, rng: np.random.Generator) -> Counts:
    """Counts of :data:`RESAMPLES` bootstrap samples of the images behind ``counts`` [K]: int64 [RESAMPLES, K]."""
    total = int(counts.sum())
    share = counts / total
    blocks = [rng.multinomial(total, share, size=_AT_ONCE) for _ in range(RESAMPLES // _AT_ONCE)]
    return np.concatenate(blocks)


def percentile(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The interval's ends: the central 95 % of the resampled values."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
