"""Fit and score statistics: log-odds of words, or a logistic regression on one number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.artefacts.reader import Reader
from bench.detector import Statistic
from bench.progress import Progress
from bench.training.examples import Reference
from bench.training.faults import BadImages, Fault, shown

State = dict[str, Any]


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


def fit(statistics: Sequence[float | str], labels: Sequence[int]) -> State:
    """Learn from the statistics of training images and their labels (1 = fake); the state is plain JSON."""
    if any(isinstance(value, str) for value in statistics):
        real = Counter(str(v) for v, label in zip(statistics, labels, strict=True) if label == 0)
        fake = Counter(str(v) for v, label in zip(statistics, labels, strict=True) if label == 1)
        odds = {word: math.log((fake[word] + 0.5) / (real[word] + 0.5)) for word in sorted(real | fake)}
        return {"kind": "words", "log_odds": odds}
    from sklearn.linear_model import LogisticRegression

    x = np.asarray(statistics, np.float64)
    centre, scale = float(x.mean()), float(x.std()) or 1.0
    model = LogisticRegression(C=100.0).fit(((x - centre) / scale)[:, None], np.asarray(labels))
    return {
        "kind": "number",
        "centre": centre,
        "scale": scale,
        "slope": float(model.coef_[0, 0]),
        "bias": float(model.intercept_[0]),
    }


def logits(state: State, statistics: Sequence[float | str]) -> list[float]:
    """Logits of statistics (positive = fake); a word that is not in the training data gets 0."""
    if state["kind"] == "words":
        return [float(state["log_odds"].get(str(value), 0.0)) for value in statistics]
    return [state["bias"] + state["slope"] * (float(v) - state["centre"]) / state["scale"] for v in statistics]
