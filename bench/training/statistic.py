"""Fit and score statistics: log-odds of words, or a logistic regression on one number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from bench.artefacts.reader import Reader
from bench.detector import Statistic
from bench.progress import Progress
from bench.training.examples import Reference
from bench.training.faults import BadImages, Fault, shown

State = dict[str, Any]
#: The smallest slope, per standard deviation, of a number whose direction is known.
FLATTEST = 0.01
#: The state of a detector that is not trained and not calibrated.
UNCALIBRATED: State = {"kind": "number", "centre": 0.0, "scale": 1.0, "slope": 1.0, "bias": 0.0}


def values(method: Statistic, refs: Sequence[Reference], reader: Reader, progress: Progress) -> list[float | str]:
    """The statistic of every reference, in order. Raises BadImages naming those without one."""
    results: list[float | str] = []
    faults: list[Fault] = []
    with progress.stage(f"values of {type(method).__name__}", len(refs)) as stage:
        for index, ref in enumerate(refs):
            value = shown(index, ref, partial(_value, method, ref, reader))
            if isinstance(value, Fault):
                faults.append(value)
            else:
                results.append(value)
            progress.advance(stage)
    if faults:
        raise BadImages(faults)
    return results


def _value(method: Statistic, ref: Reference, reader: Reader) -> float | str:
    return method.value(ref.sample(reader))


def fit(statistics: Sequence[float | str], labels: Sequence[int], rising: bool = False) -> State:
    """Learn from the statistics of training images and their labels (1 = fake); the state is plain JSON.

    If ``rising``, larger numbers never have smaller log-odds: the slope is at least :data:`FLATTEST`.
    """
    if any(isinstance(value, str) for value in statistics):
        real = Counter(str(v) for v, label in zip(statistics, labels, strict=True) if label == 0)
        fake = Counter(str(v) for v, label in zip(statistics, labels, strict=True) if label == 1)
        odds = {word: math.log((fake[word] + 0.5) / (real[word] + 0.5)) for word in sorted(real | fake)}
        return {"kind": "words", "log_odds": odds}
    from sklearn.linear_model import LogisticRegression

    x = np.asarray(statistics, np.float64)
    centre, scale = float(x.mean()), float(x.std()) or 1.0
    z = (x - centre) / scale
    model = LogisticRegression(C=100.0).fit(z[:, None], np.asarray(labels))
    slope, bias = float(model.coef_[0, 0]), float(model.intercept_[0])
    if rising and slope < FLATTEST:
        slope, bias = FLATTEST, _bias(FLATTEST * z, float(np.mean(labels)))
    return {"kind": "number", "centre": centre, "scale": scale, "slope": slope, "bias": bias}


def _bias(logits: NDArray[np.float64], share: float) -> float:
    """What added to logits [N] makes their mean probability ``share``: the most likely bias of a fixed slope."""

    def excess(bias: float) -> float:
        return float(expit(logits + bias).mean() - share)

    middle = float(logit(share))
    return float(brentq(excess, middle - logits.max() - 1, middle - logits.min() + 1))


def logits(state: State, statistics: Sequence[float | str]) -> list[float]:
    """Logits of statistics (positive = fake); a word that is not in the training data gets 0."""
    if state["kind"] == "words":
        return [float(state["log_odds"].get(str(value), 0.0)) for value in statistics]
    return [state["bias"] + state["slope"] * (float(v) - state["centre"]) / state["scale"] for v in statistics]
