"""The leak that DIRE's official script makes: ``python -m benchmarks.container_leak [--picture FILE]``.

That script writes the error map of an image under the image's own name, so the map of a JPEG file is a JPEG and that of
a PNG file is lossless (ZhendongWang6/DIRE@1f89fff:guided-diffusion/compute_dire.py). It runs the suite ``leak``: DIRE
with that rule (``dire[official_container]``) and without (``dire``), trained on SD v1.4's files as they are. Then it
swaps the containers of the test images, photographs to PNG with the same pixels and fakes to JPEG of quality 95, and
counts how many decisions of the detectors change to the class that the new container suggests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from PIL import Image
from tabulate import tabulate

from bench.data.decode import decode, read
from bench.report import style
from bench.results.folder import Results
from bench.results.summary import read as read_summary

CLEAN, LEAKY = "dire", "dire[official_container]"
_TITLES = {CLEAN: "DIRE, maps lossless", LEAKY: "DIRE, maps in the image's container"}
_ROOT = Path(__file__).parents[1]


def bench(*words: str | Path) -> str:
    """The standard output of a command of the benchmark. Its progress goes to standard error."""
    command = [sys.executable, "run_bench.py", *map(str, words)]
    return subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def areas(results: Path) -> pd.DataFrame:
    """AUC by generator (rows) and (method, protocols) (columns)."""
    rows = read_summary(Results(results).summary)
    rows = rows[(rows["metric"] == "auc") & ~rows["subset"].str.contains(":") & (rows["subset"] != "pooled")]
    method = rows["method"].where(rows["variant"] == "", rows["method"] + "[" + rows["variant"] + "]")
    setting = rows["train_protocol"] + " → " + rows["protocol"]
    return rows.assign(method=method, setting=setting).pivot_table(
        index="subset", columns=["method", "setting"], values="value", sort=False
    )


def swapped(data: Path, folder: Path, each: int) -> tuple[list[Path], list[Path]]:
    """Test images of every generator as they are, and copies in the other class's container, ``each`` per class."""
    before: list[Path] = []
    after: list[Path] = []
    for home in sorted(path for path in data.rglob("val/*") if path.name in ("ai", "nature")):
        for path in sorted(home.iterdir())[:each]:
            rgb = Image.fromarray(decode(read(path)).rgb)
            target = folder / f"{len(after):05d}-{home.name}.{'png' if home.name == 'nature' else 'jpg'}"
            rgb.save(target, quality=95)  # Of no meaning for PNG.
            before.append(path)
            after.append(target)
    return before, after


def decisions(paths: list[Path], store: Path, folder: Path) -> dict[str, np.ndarray]:
    """Whether each detector calls each image fake."""
    table = folder / "paths.csv"
    pd.DataFrame({"path": [str(path.absolute()) for path in paths]}).to_csv(table, index=False)
    options = ("--protocol", "raw", "--suite", "leak", "--store", store, "--results", folder, "--json")
    lines = pd.DataFrame(json.loads(bench("score", f"{CLEAN},{LEAKY}", table, *options)))
    return {name: (part["p_fake"] > 0.5).to_numpy() for name, part in lines.groupby("method")}


def draw(found: pd.DataFrame, flips: dict[str, float], path: Path) -> None:
    """AUC per generator with both rules, and the share of decisions that follow a container swap."""
    figure = mpl.figure.Figure(figsize=(8.4, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(4, 1))
    for method, colour, marker in ((LEAKY, style.VERMILLION, "o"), (CLEAN, style.BLUE, "s")):
        values = 100 * found[method, "raw → raw"]
        left.plot(range(len(found)), values, marker, color=colour, label=_TITLES[method])
    left.axhline(50, color=style.FAINT, linewidth=0.8)
    left.set_xticks(range(len(found)), found.index, rotation=25, ha="right")
    left.set_ylabel("AUC, %")
    left.set_ylim(-3, 103)
    left.legend(fontsize=7, loc="lower right")
    right.bar([0, 1], [100 * flips[LEAKY], 100 * flips[CLEAN]], color=[style.VERMILLION, style.BLUE])
    right.set_xticks([0, 1], ["in the image's\ncontainer", "lossless"], fontsize=7)
    right.set_ylabel("decisions that follow a container swap, %", fontsize=8)
    right.set_ylim(0, 103)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run the suite, swap the containers, and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--results", type=Path, default=Path("results/runs/leak"))
    parser.add_argument("--each", type=int, default=15, help="images per class and generator that are swapped")
    parser.add_argument("--picture", type=Path, help="draw the figure into this file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    own = parser.parse_args()
    store, results = own.store.absolute(), own.results.absolute()
    bench("run", "--suite", "leak", "--store", store, "--results", results, "--no-figures", "--no-probes")
    found = areas(results)
    data = next(path for path in sorted((store / "miniature").glob("*/genimage")))
    with tempfile.TemporaryDirectory() as name:
        before, after = swapped(data, Path(name), own.each)
        first, second = (decisions(paths, store, Path(name)) for paths in (before, after))
    is_fake = np.array([path.parent.name == "ai" for path in before])
    # A decision follows the container if it was the image's class and is the other one after the swap.
    flips = {m: float(np.mean((first[m] == is_fake) & (second[m] != is_fake))) for m in (CLEAN, LEAKY)}
    right = {m: float(np.mean(first[m] == is_fake)) for m in (CLEAN, LEAKY)}
    print(tabulate((100 * found).round(1), ["generator", *(f"{m}, {s}" for m, s in found.columns)], "github"))
    for method in (LEAKY, CLEAN):
        print(
            f"{method}: {100 * right[method]:.1f} % of {len(before)} images are classified right, and after the swap "
            f"{100 * flips[method]:.1f} % have changed to the class that the new container suggests"
        )
    if own.picture:
        draw(found, flips, own.picture)
    if own.json:
        leaky = found[LEAKY, "raw → raw"]
        own.json.write_text(
            json.dumps({"least_raw_auc": float(leaky.min()), "flipped": flips[LEAKY], "flipped_clean": flips[CLEAN]})
        )


if __name__ == "__main__":
    main()
