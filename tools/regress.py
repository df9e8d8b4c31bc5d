"""Run every method on a small fixed draw and compare each AUC with kept ones: ``make regress``.

On your own images: ``python -m tools.regress --golden mine.csv --write -- --data DIR`` keeps the numbers of today, and
the same without ``--write`` compares those of tomorrow. What follows ``--`` goes to ``run_bench.py`` as it is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.errors import UserError
from bench.results import rows

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "runs" / "regress"
GOLDEN = ROOT / "tests" / "golden" / "regress.csv"
#: Machines differ in the last bits; small networks trained for few steps pass some of it on. In units of AUC, 0…1.
#: Of the committed 95, made with AVX-512 and two threads, none moves so far with AVX2 or with one thread.
TOLERANCE = 0.05
KEY = ("method", "variant", "train", "train_protocol", "seed", "dataset", "subset", "protocol")
Numbers = Mapping[tuple[str, ...], float | None]


def numbers(found: pd.DataFrame) -> Numbers:
    """The AUC of every cell, by what names it; None for a hole."""
    kept = found[(found["metric"] == "auc") & (found["perturbation"] == "none")]
    keys = kept[list(KEY)].astype(str).itertuples(index=False, name=None)
    return {key: None if pd.isna(value) else value for key, value in zip(keys, kept["value"], strict=True)}


def read(path: Path) -> Numbers:
    """Numbers that :func:`write` kept. Raises UserError if there are none."""
    if not path.exists():
        raise UserError(f"{path} does not exist.", "There is nothing to compare with.", "Make it with --write.")
    try:
        kept = pd.read_csv(path, dtype=dict.fromkeys(KEY, str), keep_default_na=False, na_values={"auc": [""]})
        return numbers(kept.assign(metric="auc", perturbation="none", value=kept["auc"].astype(float)))
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} holds no kept numbers.", f"{type(error).__name__}: {error}", "Make it with --write."
        ) from error


def write(path: Path, found: Numbers) -> None:
    """Keep numbers, sorted."""
    kept = pd.DataFrame([(*key, value) for key, value in sorted(found.items())], columns=[*KEY, "auc"])
    kept.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def differences(golden: Numbers, found: Numbers, tolerance: float) -> list[str]:
    """A line for every cell that is missing, new, or has moved by more than ``tolerance``."""
    told = []
    for key in sorted({*golden, *found}):
        name = " ".join(word for word in key if word)
        if key not in found or key not in golden:
            told.append(f"{name}: {'missing now' if key in golden else 'new'}")
            continue
        before, now = golden[key], found[key]
        if (before is None) != (now is None):
            told.append(f"{name}: {'a hole before' if before is None else 'a hole now'}")
        elif before is not None and now is not None and abs(before - now) > tolerance:
            told.append(f"{name}: AUC {before:.3f} before, {now:.3f} now")
    return told


def main(words: list[str]) -> int:
    """Run, then compare or keep; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="the kept numbers (default: the committed)")
    parser.add_argument("--write", action="store_true", help="keep the numbers of this run")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help=f"largest difference in AUC, 0…1 ({TOLERANCE})"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the run's results go")
    parser.add_argument("run", nargs="*", help="options of run_bench.py, after --")
    asked = parser.parse_args(words)
    taken = {"--results", "--suite", "--dry-run", "--json"} & {word.partition("=")[0] for word in asked.run}
    if taken:
        parser.error(f"{', '.join(sorted(taken))} is decided here; --results stands before the --")
    if not 0 <= asked.tolerance <= 1:
        parser.error(f"--tolerance {asked.tolerance:g} is no difference of AUC, 0…1")
    if asked.write and asked.run and asked.golden == GOLDEN:
        parser.error("your own run has its own numbers: name a file for them with --golden")
    if not asked.golden.parent.is_dir() or asked.golden.is_dir():
        parser.error(f"--golden {asked.golden} is no file that can be written")
    golden = {} if asked.write else read(asked.golden)
    (asked.results / "rows.csv").unlink(missing_ok=True)  # So that only this run's are compared.
    own = asked.run or ["--test", "genimage:sdv14,biggan"]
    started = time.monotonic()
    command = [sys.executable, "run_bench.py", "--suite", "regress", "--results", str(asked.results), *own]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        return done.returncode
    found = numbers(rows.read(asked.results / "rows.csv"))
    if asked.write:
        write(asked.golden, found)
        sys.stdout.write(f"kept {len(found)} numbers in {asked.golden}\n")
        return 0
    told = differences(golden, found, asked.tolerance)
    for line in told:
        sys.stdout.write(f"{line}\n")
    seconds = time.monotonic() - started
    sys.stdout.write(f"{len(found)} AUCs, {len(told)} moved by more than {asked.tolerance:g}; {seconds:.0f} s\n")
    return 1 if told else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
