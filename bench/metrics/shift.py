"""Semantic shift: the gap Δ between the distances of reals and of fakes to their reconstructions (SARE, eq. 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.metrics.classification import auc, tally
from bench.metrics.means import Estimate, Numbers, gap, mean


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


def shift(values: Numbers, labels: NDArray[np.int64]) -> Shift:
    """Δ of distances float [N] with labels int [N] (1 = fake). Raises ValueError if a class is missing."""
    real, fake = _split(values, labels)
    sd = math.sqrt(sum(part.var() * len(part) for part in (real, fake)) / max(len(values) - 2, 1))
    delta = gap(real, fake)
    return Shift(
        mean(real),
        mean(fake),
        delta,
        delta.value / sd if sd > 0 else 0.0,
        float(auc(tally(-values.astype(np.float64), labels))),
        len(real),
        len(fake),
    )


def difference(first: Numbers, second: Numbers, labels: NDArray[np.int64]) -> Estimate:
    """Δ of ``first`` minus Δ of ``second``, paired by image.

    Both are distances float [N] of the same images with labels int [N] (1 = fake). Raises ValueError if a class is
    missing.
    """
    return gap(*_split(first - second, labels))
