"""Measure the bootstrap of a cell beside a loop over scikit-learn: seconds, memory, and the ratio.

    python -m benchmarks.resampling [--scores N] [--resamples B] [--json FILE]

AUC and average precision of B bootstrap samples of N scores. scikit-learn computes a few samples of the same images,
and its time is scaled to B. Needs no GPU; the machine should be idle.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from tabulate import tabulate

from bench.metrics.classification import Tally, auc, average_precision
from bench.metrics.resampling import Cell, counts, draws
from benchmarks.output import keep

#: Samples that scikit-learn computes.
_LOOP = 10


def _measures(tally: Tally) -> Mapping[Any, Any]:
    return {"auc": auc(tally), "ap": average_precision(tally)}


def measured(scores: int, resamples: int) -> dict[str, float]:
    """The figures of one cell of ``scores`` images, half of them fake."""
    rng = np.random.default_rng(0)
    labels = np.arange(scores) % 2
    logits = (rng.standard_normal(scores) + labels).astype(np.float32)
    images = [f"{i:032x}" for i in rng.integers(1, 2**62, scores)]
    started = time.monotonic()
    (found,) = draws([Cell(logits, labels, images, _measures)], resamples)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    drawn = counts(images, 0, 16)
    started, gap = time.monotonic(), 0.0
    for sample in range(_LOOP):
        rows = np.repeat(np.arange(scores), drawn[:, sample])
        area, precision = (f(labels[rows], logits[rows]) for f in (roc_auc_score, average_precision_score))
        gap = max(gap, abs(area - float(found["auc"][sample])), abs(precision - float(found["ap"][sample])))
    loop = (time.monotonic() - started) / _LOOP * resamples
    return {
        "scores": scores,
        "resamples": resamples,
        "seconds": seconds,
        "peak_mb": peak,
        "scikit_learn_seconds": loop,
        "scikit_learn_over_ours": loop / seconds,
        "max_abs_difference": gap,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    figures = measured(arguments.scores, arguments.resamples)
    print(tabulate([(name, f"{value:,.6g}") for name, value in figures.items()], headers=("figure", "value")))
    keep(figures, arguments.json)


if __name__ == "__main__":
    main()
