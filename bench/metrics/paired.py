"""Two detectors on the same images: the difference of their AUC with a paired bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.metrics.bootstrap import RESAMPLES, percentile, resample
from bench.metrics.classification import Counts, auc

Logits = NDArray[np.float32]
Draws = NDArray[np.float64]


#: The least p that so many bootstrap samples can give.
FLOOR = 2 / (RESAMPLES + 1)


@dataclass(frozen=True)
class Paired:
    """AUC of ``one`` minus AUC of ``other``, each a mean over its seeds, in −1…1.

    ``draws`` are the differences on :data:`~bench.metrics.bootstrap.RESAMPLES` bootstrap samples of the images, the
    same samples for both; ``by_seed`` are the differences per seed, if both have the same seeds.
    """

    effect: float
    draws: Draws
    by_seed: tuple[float, ...]
    n_real: int
    n_fake: int


@dataclass(frozen=True)
class Verdict:
    """A difference with its 95 % interval and two-sided bootstrap p; ``seed_sd`` is its deviation among seeds."""

    effect: float
    low: float
    high: float
    p: float
    seed_sd: float | None


def _grouped(logits: Logits, counts: Counts) -> Counts:
    """Counts [..., N] of images as counts at each distinct score, ascending."""
    order = np.argsort(logits, kind="stable")
    ordered = logits[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return np.add.reduceat(counts[..., order], starts, axis=-1)


def _aucs(logits: Logits, real: Counts, fake: Counts) -> Draws:
    return auc(_grouped(logits, real), _grouped(logits, fake))


def paired(
    one: Sequence[Logits], other: Sequence[Logits], labels: NDArray[np.int64], rng: np.random.Generator
) -> Paired:
    """Compare seeds of logits [N] over the same images with labels [N] (1 = fake).

    Raises ValueError where a class is missing or the lengths differ.
    """
    if any(len(logits) != len(labels) for logits in (*one, *other)):
        raise ValueError("paired logits must be of the same images, in the same order.")
    real, fake = (labels == 0).astype(np.int64), (labels == 1).astype(np.int64)
    if not real.any() or not fake.any():
        raise ValueError("an AUC needs both classes.")
    drawn = resample(real, rng), resample(fake, rng)
    points = [np.asarray([_aucs(logits, real, fake) for logits in seeds]) for seeds in (one, other)]
    draws = [np.mean([_aucs(logits, *drawn) for logits in seeds], axis=0) for seeds in (one, other)]
    same = len(one) == len(other)
    return Paired(
        effect=float(points[0].mean() - points[1].mean()),
        draws=draws[0] - draws[1],
        by_seed=tuple((points[0] - points[1]).tolist()) if same else (),
        n_real=int(real.sum()),
        n_fake=int(fake.sum()),
    )


def mean(parts: Sequence[Paired]) -> Paired:
    """The unweighted mean over subsets, whose images are independent of one another."""
    seeds = zip(*(part.by_seed for part in parts), strict=True) if all(part.by_seed for part in parts) else ()
    return Paired(
        effect=float(np.mean([part.effect for part in parts])),
        draws=np.mean([part.draws for part in parts], axis=0),
        by_seed=tuple(float(np.mean(values)) for values in seeds),
        n_real=sum(part.n_real for part in parts),
        n_fake=sum(part.n_fake for part in parts),
    )


def verdict(found: Paired) -> Verdict:
    """Interval and p of a difference; p is twice the smaller tail of the draws, never below :data:`FLOOR`."""
    low, high = percentile(found.draws)
    tail = min((found.draws <= 0).sum(), (found.draws >= 0).sum())
    p = min(1.0, FLOOR * (int(tail) + 1))
    spread = float(np.std(found.by_seed, ddof=1)) if len(found.by_seed) > 1 else None
    return Verdict(found.effect, low, high, p, spread)
