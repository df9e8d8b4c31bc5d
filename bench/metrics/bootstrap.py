"""Stratified bootstrap: reals and fakes are resampled apart, so every resample has the cell's class balance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.metrics.classification import Counts

RESAMPLES = 1000
LEVEL = 0.95
NAME = f"stratified-bootstrap-{RESAMPLES}-95%"
_AT_ONCE = 50


def resample(counts: Counts, rng: np.random.Generator) -> Counts:
    """Counts of :data:`RESAMPLES` bootstrap samples of the images behind ``counts`` [K]: int64 [RESAMPLES, K].

    Images are drawn one by one: a multinomial over K classes that hold an image each is slower by far.
    """
    kinds, total = len(counts), int(counts.sum())
    place, rows = np.repeat(np.arange(kinds), counts), np.arange(_AT_ONCE)[:, None] * kinds
    drawn = np.empty((RESAMPLES, kinds), np.int64)
    for block in np.split(drawn, RESAMPLES // _AT_ONCE):
        images = place[rng.integers(0, total, (_AT_ONCE, total))] + rows
        block[:] = np.bincount(images.ravel(), minlength=block.size).reshape(block.shape)
    return drawn


def percentile(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The interval's ends: the central 95 % of the resampled values."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
