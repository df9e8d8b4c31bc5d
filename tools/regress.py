"""Run every method on a small fixed sample and compare each AUC with its stored value: ``make regress``.

On your own images: ``python -m tools.regress --golden mine.csv --write -- --data DIR`` stores the values, and the same
command without ``--write`` compares a later run with them. Options after ``--`` are passed to ``run_bench.py``.
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
#: Machines differ in the last bits, and small networks trained for few steps amplify this. In units of AUC, 0…1.
#: None of the 95 committed values, made with AVX-512 and two threads, changes by more with AVX2 or with one thread.
TOLERANCE = 0.05
KEY = ("method", "variant", "train", "train_protocol", "seed", "dataset", "subset", "protocol")
Numbers = Mapping[tuple[str, ...], float | None]


def numbers(table: pd.DataFrame) -> Numbers:
    """The AUC of every cell by :data:`KEY`, in 0…1; None for a hole."""
    cells = table[(table["metric"] == "auc") & (table["perturbation"] == "none")]
    keys = cells[list(KEY)].astype(str).itertuples(index=False, name=None)
    return {key: None if pd.isna(value) else value for key, value in zip(keys, cells["value"], strict=True)}


def read(path: Path) -> Numbers:
    """Read values written by :func:`write`. Raises UserError if there are none."""
    if not path.exists():
        raise UserError(f"{path} does not exist.", "There are no values to compare with.", "Create it with --write.")
    try:
        stored = pd.read_csv(path, dtype=dict.fromkeys(KEY, str), keep_default_na=False, na_values={"auc": [""]})
        return numbers(stored.assign(metric="auc", perturbation="none", value=stored["auc"].astype(float)))
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} contains no stored values.", f"{type(error).__name__}: {error}", "Create it with --write."
        ) from error


def write(path: Path, values: Numbers) -> None:
    """Write values as CSV, sorted."""
    table = pd.DataFrame([(*key, value) for key, value in sorted(values.items())], columns=[*KEY, "auc"])
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def differences(golden: Numbers, current: Numbers, tolerance: float) -> list[str]:
    """One line for every cell that is missing, new, or has changed by more than ``tolerance``."""
    lines = []
    for key in sorted({*golden, *current}):
        name = " ".join(word for word in key if word)
        if key not in current or key not in golden:
            lines.append(f"{name}: {'missing now' if key in golden else 'new'}")
            continue
        before, now = golden[key], current[key]
        if (before is None) != (now is None):
            lines.append(f"{name}: {'a hole before' if before is None else 'a hole now'}")
        elif before is not None and now is not None and abs(before - now) > tolerance:
            lines.append(f"{name}: AUC {before:.3f} before, {now:.3f} now")
    return lines


def main(words: list[str]) -> int:
    """Run, then compare or store the values; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="file of stored values (default: the committed)")
    parser.add_argument("--write", action="store_true", help="store the values of this run")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help=f"largest difference in AUC, 0…1 ({TOLERANCE})"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="results folder of the run")
    parser.add_argument("run", nargs="*", help="options of run_bench.py, after --")
    arguments = parser.parse_args(words)
    reserved = {"--results", "--suite", "--dry-run", "--json"} & {word.partition("=")[0] for word in arguments.run}
    if reserved:
        parser.error(f"{', '.join(sorted(reserved))} cannot follow the --; --results can be given before it")
    if not 0 <= arguments.tolerance <= 1:
        parser.error(f"--tolerance {arguments.tolerance:g} is not a difference of AUC in 0…1")
    if arguments.write and arguments.run and arguments.golden == GOLDEN:
        parser.error("your own run needs its own file of values: name it with --golden")
    if not arguments.golden.parent.is_dir() or arguments.golden.is_dir():
        parser.error(f"--golden {arguments.golden} is not a writable file")
    golden = {} if arguments.write else read(arguments.golden)
    (arguments.results / "rows.csv").unlink(missing_ok=True)  # So that only rows of this run are compared.
    options = arguments.run or ["--test", "genimage:sdv14,biggan"]
    started = time.monotonic()
    command = [sys.executable, "run_bench.py", "--suite", "regress", "--results", str(arguments.results), *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        return done.returncode
    current = numbers(rows.read(arguments.results / "rows.csv"))
    if arguments.write:
        write(arguments.golden, current)
        sys.stdout.write(f"stored {len(current)} values in {arguments.golden}\n")
        return 0
    changed = differences(golden, current, arguments.tolerance)
    for line in changed:
        sys.stdout.write(f"{line}\n")
    seconds = time.monotonic() - started
    summary = f"{len(current)} AUCs, {len(changed)} changed by more than {arguments.tolerance:g}"
    sys.stdout.write(f"{summary}; {seconds:.0f} s\n")
    return 1 if changed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
