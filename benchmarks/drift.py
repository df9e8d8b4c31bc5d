"""Measure how far scores move in half precision, on the miniature: artefacts and detectors in bf16 and in fp16.

    python -m benchmarks.drift [--precisions bf16,fp16] [--methods all] [--test SETS] [--csv FILE]

Fits are those of the main job, trained in fp32 (`make bench`; what is missing is trained first). The aligned images of
`--test` (default: the source generator sdv14, and adm) are scored twice by the same fit: with artefacts and network in
fp32, then in half precision. `drift` is the mean difference of a logit in percent of the logits' standard deviation,
`changed` the percentage of decisions that change sides. `python -m tools.methods_page` prints the file of `--csv`,
docs/drift.csv, on the page of the methods.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from bench.cli.run_options import RunOptions
from bench.cli.setup import Prepared, check, plan_of
from bench.detector import Detector
from bench.execution import execute, fitting
from bench.execution.session import Session, open_session
from bench.metrics import classification
from bench.planning.matrix import detectors
from bench.planning.units import Methods
from bench.progress import Progress
from bench.training.examples import references
from bench.training.faults import Fault
from bench.types import Cell, Plan


class Side:
    """The plan of the test images in one precision, and a session to carry it out."""

    def __init__(self, options: RunOptions, precision: str, progress: Progress) -> None:
        self.prepared: Prepared = check(replace(options, precision=precision), progress)
        self.plan: Plan = plan_of(self.prepared, options, progress)
        places = (self.prepared.zoo, self.prepared.store, self.prepared.results)
        self.session: Session = open_session(*places, options.device, progress)
        self.methods: Methods = detectors(self.prepared.request)

    def prepare(self) -> None:
        """Make what is missing of the artefacts of test images."""
        jobs = tuple(job for job in self.plan.jobs if job.slice.role == "test")
        execute.prepare(replace(self.plan, jobs=jobs), self.session, self.prepared.processes)
        self._check()

    def train(self) -> None:
        """Train what is missing of the fits, with the artefacts that they need."""
        execute.carry_out_part(self.plan, self.prepared.request, self.session, self.prepared.processes)
        self._check()

    def _check(self) -> None:
        if self.session.failed:
            raise RuntimeError(f"Failed: {self.session.failed}.")

    def scores(self, cell: Cell) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Logits of a cell by its fit, in the precision of this side, and labels."""
        method = self.methods[cell.fit.method, cell.fit.variant].method
        refs = references(method, [cell.test], self.session.zoo.resolve, "test")
        lost: dict[str, Fault] = {}
        logits = fitting.score(method, cell.fit, refs, self.session, lost)
        if lost:
            raise RuntimeError(
                f"{cell.title}: {len(lost)} images have no score, the first: {next(iter(lost.values()))}."
            )
        return np.asarray(logits), np.asarray([ref.label for ref in refs])


def figures(reference: Side, other: Side, cells: Sequence[Cell]) -> dict[str, float]:
    """How far the scores of one fit move from one side to another."""
    pairs = [(*reference.scores(cell), other.scores(cell)[0]) for cell in cells]
    logits, labels, moved = (np.concatenate(part) for part in zip(*pairs, strict=True))
    aucs = [
        100 * float(classification.auc(classification.tally(scored.astype(np.float32), labels)))
        for scored in (logits, moved)
    ]
    return {
        "images": len(logits),
        "drift": 100 * float(np.abs(moved - logits).mean() / logits.std()),
        "changed": 100 * float(((moved > 0) != (logits > 0)).mean()),
        "auc_fp32": aucs[0],
        "auc": aucs[1],
    }


def measure(options: RunOptions, precisions: Sequence[str]) -> pd.DataFrame:
    """A row per method and precision."""
    progress = Progress()
    reference = Side(options, "fp32", progress)
    reference.train()
    cells: dict[str, list[Cell]] = {}
    for cell in reference.plan.cells:
        method = reference.methods[cell.fit.method, cell.fit.variant].method
        if isinstance(method, Detector) and cell.perturbation == "none" and cell.test.role == "test":
            cells.setdefault(cell.fit.label, []).append(cell)
    rows = []
    for precision in precisions:
        other = Side(options, precision, progress)
        other.prepare()
        for label, part in cells.items():
            rows.append({"method": label, "precision": precision, **figures(reference, other, part)})
    return pd.DataFrame(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precisions", default="bf16,fp16", help="comma-separated precisions to compare with fp32")
    parser.add_argument("--methods", default="all", help="as for run_bench.py")
    parser.add_argument("--test", default="genimage:sdv14,adm", help="as for run_bench.py")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--suite", default="mini", help="as for run_bench.py")
    parser.add_argument("--store", type=Path, default=Path("store"), help="as for run_bench.py")
    parser.add_argument("--results", type=Path, default=Path("results/runs/drift"), help="as for run_bench.py")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the figures")
    arguments = vars(parser.parse_args())
    precisions, file = arguments.pop("precisions").split(","), arguments.pop("csv")
    table = measure(RunOptions(protocols="aligned", probes=False, deterministic=True, **arguments), precisions)
    print(tabulate(table.to_dict("records"), headers="keys", floatfmt=".2f"))
    if file is not None:
        table.round(3).to_csv(file, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
