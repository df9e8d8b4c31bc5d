"""How well one fact of a file tells the classes apart: what a detector can score without looking at the content."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.metrics import classification, intervals
from bench.metrics.classification import Labels, Tally
from bench.metrics.ranking import holm

#: A fact with at least this AUC, significantly above 0.5, makes raw scores meaningless.
LEAK = 0.9
#: Numbers with more distinct values than this are put into as many bins of equal counts.
_BINS = 16
_SIGNIFICANT = 0.05
#: With fewer files of a class, in either half, nothing is said.
FEWEST = 10


@dataclass(frozen=True)
class Shortcut:
    """What one fact separates: the AUC of files that did not teach it, its 95 % interval, and the corrected p-value.

    ``verdict`` is ``leak``, ``hint`` (significant, below :data:`LEAK`), ``none``, ``constant`` for a fact that all
    files share, or ``too few``.
    """

    fact: str
    auc: float
    low: float
    high: float
    p: float
    verdict: str


def binned(values: Sequence[Any]) -> list[str]:
    """Values as words: numbers with many distinct values by their bin."""
    distinct = set(values)
    if len(distinct) <= _BINS or not all(isinstance(value, int | float) for value in distinct):
        return [str(value) for value in values]
    numbers = np.asarray(values, np.float64)
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return [str(place) for place in np.searchsorted(edges, numbers, side="right")]


def log_odds(words: Sequence[str], labels: Labels) -> dict[str, float]:
    """The log-odds of a fake by word, with half a file of each class added; ``labels`` are 0 or 1 [N]."""
    real, fake = (Counter(w for w, y in zip(words, labels.tolist(), strict=True) if y == label) for label in (0, 1))
    shift = math.log((real.total() + 1) / (fake.total() + 1))
    return {word: math.log((fake[word] + 0.5) / (real[word] + 0.5)) + shift for word in real | fake}


def _separation(fact: str, values: Sequence[Any], labels: Labels, held_out: NDArray[np.bool_]) -> Shortcut:
    tested = labels[held_out]
    if min(int((part == label).sum()) for part in (tested, labels[~held_out]) for label in (0, 1)) < FEWEST:
        return Shortcut(fact, math.nan, math.nan, math.nan, math.nan, "too few")
    if len(set(values)) < 2:
        return Shortcut(fact, 0.5, 0.5, 0.5, 1.0, "constant")
    words = np.asarray(binned(values))
    odds = log_odds(words[~held_out].tolist(), labels[~held_out])
    scores = np.asarray([odds.get(word, 0.0) for word in words[held_out].tolist()], np.float32)
    counts: Tally = classification.tally(scores, tested)
    area, interval = float(classification.auc(counts)), intervals.of_auc(counts)
    deviation = math.sqrt(intervals.delong_variance(intervals.smoothed(counts)))
    return Shortcut(fact, area, interval.low, interval.high, float(stats.norm.sf((area - 0.5) / deviation)), "")


def shortcuts(facts: Mapping[str, tuple[Sequence[Any], Labels, NDArray[np.bool_]]]) -> list[Shortcut]:
    """Every fact's separation of the classes; p-values are corrected by Holm's method for all facts.

    A fact comes with its values, the labels (0 or 1) of the files that have it, and which of them are held out to test
    what the others have taught, each [N].
    """
    found = [_separation(name, *columns) for name, columns in facts.items()]
    tested = [place for place, one in enumerate(found) if not one.verdict]
    corrected = dict(zip(tested, holm([found[place].p for place in tested]).tolist(), strict=True))
    judged = []
    for place, one in enumerate(found):
        if place in corrected:
            p = corrected[place]
            verdict = "none" if p >= _SIGNIFICANT else "leak" if one.auc >= LEAK else "hint"
            one = Shortcut(one.fact, one.auc, one.low, one.high, p, verdict)
        judged.append(one)
    return judged
