"""Measure how often intervals of an AUC cover the truth: ours, DeLong's on the logit scale, the percentile bootstrap.

    python -m benchmarks.coverage [--repeats N] [--json FILE]

For 20, 50 and 100 images per class and true AUCs of 0.5 to 0.997, N simulated data sets of three kinds each: normal
scores, fakes of twice the spread, and fakes that are found for certain but for some at chance. A 95 % interval covers
the truth 95 % of the time. Needs no GPU.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tabulate import tabulate

from bench.metrics import intervals
from bench.metrics.classification import Tally, auc, tally
from bench.metrics.resampling import Cell, draws
from benchmarks.output import keep

KINDS, SIZES, AREAS = ("normal", "wide", "chance"), (20, 50, 100), (0.5, 0.75, 0.9, 0.97, 0.99, 0.997)
Arrays = tuple[NDArray[np.float32], NDArray[np.int64]]


def simulated(kind: str, area: float, n: int, rng: np.random.Generator) -> Arrays:
    """Logits and labels of ``n`` reals and ``n`` fakes of two distributions whose AUC is ``area``."""
    real = rng.standard_normal(n)
    if kind == "normal":
        fake = rng.standard_normal(n) + math.sqrt(2) * stats.norm.ppf(area)
    elif kind == "wide":
        fake = 2 * rng.standard_normal(n) + math.sqrt(5) * stats.norm.ppf(area)
    else:
        fake = np.where(rng.random(n) < 2 * (1 - area), rng.standard_normal(n), 50 + rng.standard_normal(n))
    return np.r_[real, fake].astype(np.float32), np.repeat([0, 1], n)


def _measure(counts: Tally) -> Mapping[Any, Any]:
    return {"auc": auc(counts)}


def _delong(counts: Tally) -> tuple[float, float]:
    area, variance = float(auc(counts)), intervals.delong_variance(counts)
    if variance == 0:
        return area, area
    odds, half = math.log(area / (1 - area)), intervals.Z * math.sqrt(variance) / (area * (1 - area))
    return 1 / (1 + math.exp(half - odds)), 1 / (1 + math.exp(-half - odds))


def ends(logits: NDArray[np.float32], labels: NDArray[np.int64], seed: int) -> dict[str, tuple[float, float]]:
    """The ends of each kind of interval."""
    counts = tally(logits, labels)
    ours = intervals.of_auc(counts)
    images = [f"{1 + seed * len(labels) + place:032x}" for place in range(len(labels))]
    (drawn,) = draws([Cell(logits, labels, images, _measure)])
    low, high = np.nanquantile(drawn["auc"], [0.025, 0.975])
    return {"wilson_delong": (ours.low, ours.high), "logit_delong": _delong(counts), "percentile": (low, high)}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    rows = []
    worst: dict[str, float] = defaultdict(lambda: 1.0)
    for kind in KINDS:
        for n in SIZES:
            for area in AREAS:
                hits: dict[str, int] = defaultdict(int)
                for seed in range(arguments.repeats):
                    found = ends(*simulated(kind, area, n, np.random.default_rng(seed)), seed)
                    for name, (low, high) in found.items():
                        hits[name] += low <= area <= high
                shares = {name: count / arguments.repeats for name, count in hits.items()}
                rows.append([kind, n, area, *(f"{100 * share:.1f}" for share in shares.values())])
                worst |= {f"worst_{name}": min(worst[f"worst_{name}"], share) for name, share in shares.items()}
    print("How often the interval covers the true AUC, in percent; it should be 95.\n")
    headers = ["scores", "images per class", "AUC", "Wilson, DeLong", "logit, DeLong", "percentile bootstrap"]
    print(tabulate(rows, headers, "github"))
    keep(dict(worst), arguments.json)


if __name__ == "__main__":
    main()
