"""Choose the miniature's learning rates on validation images: ``python -m tools.tuning [--csv FILE] [--store DIR]``.

Every detector of the suite ``board`` is trained on aligned images of ``sdv14`` (seed 0) with its suite's learning rate,
a third of it and three times it. Printed are the loss and the AUC on the validation images of ``sdv14``, which no
training uses; the lowest loss is marked. Test images take no part; see ``docs/tuning.md``. About an hour on two cores;
an interrupted run continues.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from bench import discover
from bench.detector import Detector
from bench.metrics import classification
from bench.results.folder import Results
from bench.suites.suite import Suite, instantiate, load

ROOT = Path(__file__).parents[1]
#: Variant → factor on every learning rate of the method.
FACTORS = {"slower": 1 / 3, "": 1.0, "faster": 3.0}


def _rates(suite: Suite, name: str) -> dict[str, float]:
    """The learning rates of a detector in a suite, by parameter."""
    params = instantiate(suite, name, "", discover.method(name)).params
    return {key: getattr(params, key) for key in ("lr", "encoder_lr") if hasattr(params, key)}


def names() -> list[str]:
    """The detectors whose rates are chosen."""
    kinds = {name: discover.method(name) for name in discover.methods()}
    return [name for name, kind in kinds.items() if issubclass(kind, Detector) and kind.detects]


def suite_of(base: str, chosen: list[str]) -> str:
    """A suite file with a variant of every detector for each factor."""
    suite, lines = load(base), [f'extends = "{base}"', 'name = "tuning"', 'datasets = ["genimage"]']
    lines += ['protocols = ["aligned"]', "controls = []", "compare = []", "seeds = [0]", "limit_test = 5"]
    for name in chosen:
        for variant, factor in FACTORS.items():
            if variant:
                lines.append(f'[methods."{name}[{variant}]"]')
                lines += [f"{key} = {rate * factor:.3g}" for key, rate in _rates(suite, name).items()]
    return "\n".join(lines) + "\n"


def measured(results: Results, base: str) -> Iterator[dict[str, object]]:
    """A row per detector and rate: loss and AUC on validation images."""
    suite = load(base)
    for entry in results.read_matrix().entries:
        if entry.role != "test" or not entry.val:
            continue
        table = results.table(entry.val[0])
        scores = pd.DataFrame({name: table[name] for name in ("label", "logit", "status")}).query("status == 'ok'")
        counts = classification.tally(scores["logit"].to_numpy("float32"), scores["label"].to_numpy())
        rate = _rates(suite, entry.method)["lr"] * FACTORS[entry.variant]
        yield {
            "method": entry.method,
            "rate": float(f"{rate:.3g}"),
            "suite's": entry.variant == "",
            "loss": float(classification.negative_log_likelihood(counts)),
            "auc": float(classification.auc(counts)),
            "images": len(scores),
        }


def chosen(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the lowest loss of each method marked."""
    return rows.assign(lowest=rows["loss"] == rows.groupby("method")["loss"].transform("min"))


def main() -> None:
    """Train what is missing, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="all", help="comma-separated detectors, or all")
    parser.add_argument("--base", default="board", help="suite whose rates are compared")
    parser.add_argument("--store", type=Path, default=Path("store"), help="as for run_bench.py")
    parser.add_argument("--results", type=Path, default=Path("results/runs/tuning"), help="as for run_bench.py")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the table")
    arguments = parser.parse_args()
    methods = names() if arguments.methods == "all" else arguments.methods.split(",")
    arguments.results.mkdir(parents=True, exist_ok=True)
    suite = arguments.results / "tuning.toml"
    suite.write_text(suite_of(arguments.base, methods), encoding="utf-8")
    labels = [f"{name}[{variant}]" if variant else name for name in methods for variant in FACTORS]
    words = ["--suite", str(suite), "--methods", ",".join(labels), "--test", "genimage:sdv14", "--no-probes"]
    words += ["--store", str(arguments.store), "--results", str(arguments.results)]
    subprocess.run([sys.executable, str(ROOT / "run_bench.py"), *words], check=True, stdout=subprocess.DEVNULL)
    table = chosen(pd.DataFrame(measured(Results(arguments.results), arguments.base)))
    sys.stdout.write(tabulate(table.to_dict("records"), headers="keys", floatfmt=".3g") + "\n")
    if arguments.csv is not None:
        table.to_csv(arguments.csv, index=False, lineterminator="\n", float_format="%.4g")


if __name__ == "__main__":
    main()
