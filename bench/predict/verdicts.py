"""From a score to a verdict: thresholds from a person's own photographs or a fit's validation images, and their bands.

The threshold at a false positive rate is a quantile of the scores of photographs. How well these few photographs place
it is known without assuming anything of the scores, from ranks alone (David and Nagaraja: Order Statistics, 3rd ed.,
section 7.1). Between the ends of that interval, the verdict is ``inconclusive``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bench.artefacts.store import Store
from bench.errors import UserError
from bench.metrics.intervals import LEVEL
from bench.recipe import content_key

REAL, FAKE, INCONCLUSIVE = "real", "fake", "inconclusive"
_FOLDER = "calibrations"
#: The rule of a detector that gives no verdict.
BASELINE = "no verdict, it is a trivial baseline"
#: With fewer photographs a false positive rate cannot be placed at all.
FEWEST = 20


@dataclass(frozen=True)
class Threshold:
    """Above ``high`` an image is called fake, up to ``low`` real; all are logits, and ``cut`` lies between.

    ``rule`` says in words where it is from.
    """

    cut: float
    low: float
    high: float
    rule: str

    def verdict(self, logit: float | None) -> str:
        """``real``, ``fake`` or ``inconclusive``; empty for an image without a score."""
        if logit is None:
            return ""
        if logit > self.high:
            return FAKE
        return INCONCLUSIVE if logit > self.low else REAL


def chance(logit: float) -> float:
    """The logistic function of a logit, in 0…1."""
    return 1 / (1 + math.exp(-max(min(logit, 700.0), -700.0)))


def uncalibrated(rule: str = "P(fake) = 0.5, not calibrated") -> Threshold:
    """P(fake) = 0.5."""
    return Threshold(0.0, 0.0, 0.0, rule)


def needed(fpr: float) -> int:
    """The number of photographs from which on a verdict ``fake`` is possible at a false positive rate."""
    return max(FEWEST, math.ceil(math.log((1 - LEVEL) / 2) / math.log1p(-fpr)))


def of_photographs(logits: Sequence[float], fpr: float) -> Threshold:
    """The threshold that at most a share ``fpr`` of photographs exceeds, with its 95 % interval.

    With fewer than :func:`needed` photographs the interval has no upper end: no image is called fake. Raises UserError
    for fewer than :data:`FEWEST`.
    """
    scores = np.sort(np.asarray(logits, np.float64))
    count = len(scores)
    if count < FEWEST:
        raise UserError(
            f"--calibrate has {count} photographs with a score.",
            f"{FEWEST} are the fewest, and {needed(fpr)} are needed for a false positive rate of {fpr:g}.",
            "Give more photographs of your own, of the kind that you want to judge.",
        )
    rank = math.ceil(round((1 - fpr) * count, 9))
    lower, upper = stats.binom.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], count, 1 - fpr).astype(int)
    low = float(scores[lower - 1]) if lower else -math.inf
    high = float(scores[upper]) if upper < count else math.inf
    return Threshold(float(scores[rank - 1]), low, high, f"at most {100 * fpr:g} % of {count} photographs are above it")


def of_validation(results: Path, fit: str) -> Threshold | None:
    """A fit's threshold from its own validation images, as the results folder of its run has it; None without one."""
    file = results / "thresholds.csv"
    if not file.is_file():
        return None
    rows = pd.read_csv(file)
    rows = rows[rows["fit"] == fit]
    if rows.empty:
        return None
    cut, count = float(rows["logit"].iloc[0]), int(rows["n_real"].iloc[0] + rows["n_fake"].iloc[0])
    protocol = rows["train_protocol"].iloc[0]
    return Threshold(cut, cut, cut, f"of the fit's own {count} validation images, {protocol}")


def kept(store: Store, key: str) -> list[float] | None:
    """The logits of photographs that were scored before, in a store; None if there are none."""
    file = store.root / _FOLDER / f"{key}.json"
    return json.loads(file.read_text(encoding="utf-8"))["logits"] if file.is_file() else None


def keep(store: Store, key: str, logits: Sequence[float], about: dict[str, Any]) -> None:
    """Keep the logits of photographs for other false positive rates and later calls."""
    folder = store.root / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{key}.part"
    partial.write_text(json.dumps({**about, "logits": list(logits)}), encoding="utf-8")
    partial.replace(folder / f"{key}.json")


def key_of(detector: str, images: Sequence[str]) -> str:
    """The key of a calibration: of the detector and its photographs, in any order."""
    return content_key([detector, sorted(images)])


def disagree(verdicts: Sequence[str]) -> bool:
    """Whether some detectors call an image real and others fake."""
    return {REAL, FAKE} <= set(verdicts)
