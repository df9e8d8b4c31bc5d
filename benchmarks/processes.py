"""One process a core, one thread each, against one process with a thread a core: the same run, pair by pair.

    python -m benchmarks.processes [--pairs N] [--json FILE] [options of run_bench.py]

Prints each run's seconds and the ratio of each pair. Stores and results are temporary; the machine should be idle.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import joblib

ROOT = Path(__file__).parents[1]
#: The alternative: torch's own threads in one process. The harness pins one, so the number is set here.
THREADS = "import sys; from bench import device; device.THREADS = {threads}; from bench.cli.app import main; main()"
JOB = ("--methods", "gramnet,dire,semgir", "--limit-train", "40", "--limit-test", "8", "--test", "genimage:sdv14,adm")


def seconds(command: list[str], words: list[str]) -> float:
    """Wall seconds of a run from nothing."""
    with tempfile.TemporaryDirectory() as home:
        places = ["--store", f"{home}/store", "--results", f"{home}/results", "--device", "cpu"]
        started = time.monotonic()
        subprocess.run([*command, "run", *words, *places], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started


def main() -> None:
    """Run the pairs and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2, help="how often both are timed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the seconds of every pair")
    asked, words = parser.parse_known_args()
    words = words or list(JOB)
    cores = joblib.cpu_count()
    threads = [sys.executable, "-c", THREADS.format(threads=cores)]
    processes = [sys.executable, "run_bench.py"]
    ratios, pairs = [], []
    for _ in range(asked.pairs):
        one = seconds(threads, [*words, "--processes", "1"])
        many = seconds(processes, [*words, "--processes", str(cores)])
        ratios.append(one / many)
        pairs.append({"threads": one, "processes": many})
        print(f"1 process, {cores} threads: {one:.1f} s; {cores} processes, 1 thread: {many:.1f} s; {ratios[-1]:.2f}x")
    print(f"median: {median(ratios):.2f}x")
    if asked.json:
        document = {"job": words, "cores": cores, "seconds": pairs, "median_ratio": median(ratios)}
        asked.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
