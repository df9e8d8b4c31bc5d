"""Compare two detectors on the same images: the difference of their AUCs with a paired bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.metrics.bootstrap import RESAMPLES, percentile, resample
from bench.metrics.classification import Counts, auc

Logits = NDArray[np.float32]
Draws = NDArray[np.float64]


#: The smallest p-value that :data:`~bench.metrics.bootstrap.RESAMPLES` bootstrap samples can give.
FLOOR = 2 / (RESAMPLES + 1)


@dataclass(frozen=True)
class Paired:
    """The first detector's AUC minus the second's, each averaged over its seeds, in −1…1 (``effect``).

    ``draws`` are the differences on :data:`~bench.metrics.bootstrap.RESAMPLES` bootstrap samples of the images, the
    same samples for both detectors. ``by_seed`` are the differences per seed, or empty if the detectors have different
    numbers of seeds.
    """

    effect: float
    draws: Draws
    by_seed: tuple[float, ...]
    n_real: int
    n_fake: int


@dataclass(frozen=True)
class Verdict:
    """A difference of AUCs with its 95 % interval and two-sided bootstrap p-value.

    ``seed_sd`` is the standard deviation of the differences per seed, or None for fewer than two.
    """

    effect: float
    low: float
    high: float
    p: float
    seed_sd: float | None


def _grouped(logits: Logits, counts: Counts) -> Counts:
    """Counts of images [..., N] summed at each distinct score, ascending: [..., K]."""
    order = np.argsort(logits, kind="stable")
    ordered = logits[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return np.add.reduceat(counts[..., order], starts, axis=-1)


def _aucs(logits: Logits, real: Counts, fake: Counts) -> Draws:
    return auc(_grouped(logits, real), _grouped(logits, fake))


def paired(
    first: Sequence[Logits], second: Sequence[Logits], labels: NDArray[np.int64], rng: np.random.Generator
) -> Paired:
    """Compare two detectors on the same images with labels int [N] (1 = fake).

    ``first`` and ``second`` are their logits float32 [N], one array per seed. Raises ValueError if a class is missing
    or the lengths differ.
    """
    if any(len(logits) != len(labels) for logits in (*first, *second)):
        raise ValueError("paired logits must be of the same images, in the same order.")
    real, fake = (labels == 0).astype(np.int64), (labels == 1).astype(np.int64)
    if not real.any() or not fake.any():
        raise ValueError("an AUC needs both classes.")
    drawn = resample(real, rng), resample(fake, rng)
    aucs = [np.asarray([_aucs(logits, real, fake) for logits in seeds]) for seeds in (first, second)]
    draws = [np.mean([_aucs(logits, *drawn) for logits in seeds], axis=0) for seeds in (first, second)]
    return Paired(
        effect=float(aucs[0].mean() - aucs[1].mean()),
        draws=draws[0] - draws[1],
        by_seed=tuple((aucs[0] - aucs[1]).tolist()) if len(first) == len(second) else (),
        n_real=int(real.sum()),
        n_fake=int(fake.sum()),
    )


def mean(subsets: Sequence[Paired]) -> Paired:
    """The unweighted mean over subsets, whose images are independent of one another."""
    same = len({len(subset.by_seed) for subset in subsets}) == 1  # Else there is no difference per seed to average.
    seeds = zip(*(subset.by_seed for subset in subsets), strict=True) if same else ()
    return Paired(
        effect=float(np.mean([subset.effect for subset in subsets])),
        draws=np.mean([subset.draws for subset in subsets], axis=0),
        by_seed=tuple(float(np.mean(values)) for values in seeds),
        n_real=sum(subset.n_real for subset in subsets),
        n_fake=sum(subset.n_fake for subset in subsets),
    )


def verdict(difference: Paired) -> Verdict:
    """Interval and p-value of a difference; p is twice the smaller tail of the draws, never below :data:`FLOOR`."""
    low, high = percentile(difference.draws)
    tail = min((difference.draws <= 0).sum(), (difference.draws >= 0).sum())
    p = min(1.0, FLOOR * (int(tail) + 1))
    seed_sd = float(np.std(difference.by_seed, ddof=1)) if len(difference.by_seed) > 1 else None
    return Verdict(difference.effect, low, high, p, seed_sd)
