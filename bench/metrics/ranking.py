"""Many detectors at once: p-values corrected for their number, ranks that say what is known, tests over generators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ALPHA = 0.05


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """p-values [N] corrected by Holm's method (Scand. J. Stat. 1979) for the N tests; NaN is no test and stays NaN."""
    given = np.asarray(p_values, np.float64)
    tested = np.flatnonzero(~np.isnan(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    corrected = np.full(len(given), np.nan)
    steps = given[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return corrected


@dataclass(frozen=True)
class Rank:
    """A detector's rank: 1 + the number of those that are significantly better (``first``).

    ``last`` is the number of detectors minus the number of those that are significantly worse; the true rank may be
    anything between.
    """

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def ranks(names: Sequence[str], better: Mapping[tuple[str, str], bool]) -> dict[str, Rank]:
    """The rank of every name; ``better[a, b]`` says whether a is significantly better than b."""
    above = {name: sum(better.get((other, name), False) for other in names) for name in names}
    below = {name: sum(better.get((name, other), False) for other in names) for name in names}
    return {name: Rank(1 + above[name], len(names) - below[name]) for name in names}


@dataclass(frozen=True)
class Friedman:
    """Friedman's test of k detectors over N generators.

    ``mean_ranks`` [k] are averages over generators, 1 for the best; two detectors whose mean ranks differ by less than
    ``critical_difference`` (Nemenyi, at 5 %) are not told apart by N generators.
    """

    mean_ranks: NDArray[np.float64]
    statistic: float
    p: float
    critical_difference: float


def friedman(values: NDArray[np.float64]) -> Friedman:
    """Friedman's test of values [N generators, k detectors], larger is better (Demšar, JMLR 2006).

    Raises ValueError for fewer than two generators or three detectors.
    """
    generators, detectors = values.shape
    if generators < 2 or detectors < 3:
        raise ValueError(f"Friedman's test needs 2 generators and 3 detectors; there are {generators} and {detectors}.")
    mean_ranks = np.mean([stats.rankdata(-row) for row in values], axis=0)
    statistic, p = stats.friedmanchisquare(*values.T)
    quantile = stats.studentized_range.ppf(1 - ALPHA, detectors, np.inf) / math.sqrt(2)
    distance = quantile * math.sqrt(detectors * (detectors + 1) / (6 * generators))
    return Friedman(mean_ranks, float(statistic), float(p), float(distance))


def wilcoxon(differences: Sequence[float]) -> float:
    """Wilcoxon's signed-rank p-value of differences, one per generator; 1 if all are 0."""
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)
