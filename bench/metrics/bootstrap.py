"""Stratified bootstrap: reals and fakes are resampled separately, so every resample keeps the cell's class balance."""

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

    Images are drawn individually, because a multinomial draw over K bins is much slower if most bins hold one image.
    """
    bins, total = len(counts), int(counts.sum())
    bin_of_image, offsets = np.repeat(np.arange(bins), counts), np.arange(_AT_ONCE)[:, None] * bins
    drawn = np.empty((RESAMPLES, bins), np.int64)
    for block in np.split(drawn, RESAMPLES // _AT_ONCE):
        images = bin_of_image[rng.integers(0, total, (_AT_ONCE, total))] + offsets
        block[:] = np.bincount(images.ravel(), minlength=block.size).reshape(block.shape)
    return drawn


def percentile(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The ends of the interval that holds the central 95 % of the resampled values."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
