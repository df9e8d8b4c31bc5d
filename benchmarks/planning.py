"""Measure the plan of the paper suite on a fabricated copy of GenImage: seconds and memory, no image is decoded.

    python -m benchmarks.planning [--images N] [--json FILE] [options of run_bench.py plan]

The index of images is written as a scan would write it, with ImageNet's sizes for photographs and the generators' for
fakes; the files are empty. Weights are the miniature's. Needs no GPU; the machine should be idle.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from bench import discover
from bench.data.index import Index
from benchmarks.output import keep

JOB = ("--methods", "drct_sare,dire,univfd,lare2", "--train", "sdv14", "--probes")
#: Width and height of each generator's images, as GenImage has them.
FAKES = {"midjourney": 1024, "sdv14": 512, "sdv15": 512, "wukong": 512, "adm": 256, "glide": 256, "vqdm": 256}
FAKES |= {"biggan": 128}
#: Common sizes of ImageNet's photographs and how often they occur, in percent; the others are drawn at random.
PHOTOGRAPHS = (((500, 375), 45), ((375, 500), 12), ((500, 333), 15), ((333, 500), 4), ((640, 480), 3))
TEST_SHARE = 0.07


def _photograph(rng: random.Random) -> tuple[int, int]:
    at = rng.uniform(0, 100)
    for size, share in PHOTOGRAPHS:
        if at < share:
            return size
        at -= share
    return rng.randint(200, 1200), rng.randint(200, 1200)


def fabricate(root: Path, count: int, test_share: float = TEST_SHARE) -> None:
    """Write empty files in GenImage's layout and their index; ``sdv14`` has the train folder."""
    rng, lines = random.Random(0), []
    sdv14 = round(count * (1 - test_share))
    rest = (count - sdv14) // len(FAKES)
    for name, side in FAKES.items():
        splits = {"val": rest, "train": sdv14} if name == "sdv14" else {"val": rest}
        for split, images in splits.items():
            for kind in ("ai", "nature"):
                folder = root / "data" / name / split / kind
                folder.mkdir(parents=True)
                for number in range(images // 2):
                    path = folder / f"{number:06d}.{'png' if kind == 'ai' else 'JPEG'}"
                    path.touch()
                    width, height = (side, side) if kind == "ai" else _photograph(rng)
                    status = path.stat()
                    facts = {
                        "image_id": f"{rng.getrandbits(128):032x}",
                        "perceptual": f"{rng.getrandbits(280):070x}",
                        "container": "png" if kind == "ai" else "jpeg",
                        "quality": 0 if kind == "ai" else 96,
                        "width": width,
                        "height": height,
                        "status": "ok",
                        "reason": "",
                        "file_id": f"{rng.getrandbits(128):032x}",
                        "bytes": 100_000,
                    }
                    lines.append(json.dumps([str(path), [status.st_size, status.st_mtime_ns], facts]))
    index = Index(root / "store" / "index").file
    index.parent.mkdir(parents=True)
    index.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Fabricate, plan in a fresh process, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=424_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments, words = parser.parse_known_args()
    if set(FAKES) != {subset.name for subset in discover.dataset("genimage").subsets}:
        raise RuntimeError("GenImage has other subsets than this benchmark.")
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        fabricate(root, arguments.images)
        places = ["--data", str(root / "data"), "--store", str(root / "store"), "--results", str(root / "results")]
        command = [sys.executable, "run_bench.py", "plan", "--suite", "paper", "--models", "mini", "--json"]
        command += ["--device", "cpu", *places, *(words or JOB)]
        started = time.monotonic()
        done = subprocess.run(command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE)
        seconds = time.monotonic() - started
    plan = json.loads(done.stdout)
    figures = {
        "images": arguments.images,
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000,
        "cells": len(plan["cells"]),
        "fits": len(plan["fits"]),
        "artefacts": sum(entry["needed"] for entry in plan["artefacts"]),
        "cores": os.cpu_count() or 1,
    }
    print(tabulate([(name, f"{value:,.1f}") for name, value in figures.items()], headers=("figure", "value")))
    keep(figures, arguments.json)


if __name__ == "__main__":
    main()
