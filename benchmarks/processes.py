"""Compare one process per core, with one thread each, with one process that has one thread per core.

    python -m benchmarks.processes [--pairs N] [--json FILE] [options of run_bench.py]

Both do the same run, in pairs. Prints the seconds of each run and the ratio of each pair. Stores and results are
temporary. The machine should be idle.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import joblib

from benchmarks.output import keep

ROOT = Path(__file__).parents[1]
#: The alternative: torch's own threads in one process. The benchmark pins one thread, so the number is set here.
THREADS = "import sys; from bench import device; device.THREADS = {threads}; from bench.cli.app import main; main()"
JOB = ("--methods", "gramnet,dire,semgir", "--limit-train", "40", "--limit-test", "8", "--test", "genimage:sdv14,adm")


def seconds(command: list[str], words: list[str]) -> float:
    """Wall time of a run without cached artefacts, in seconds."""
    with tempfile.TemporaryDirectory() as home:
        options = ["--store", f"{home}/store", "--results", f"{home}/results", "--device", "cpu"]
        started = time.monotonic()
        subprocess.run([*command, "run", *words, *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started


def main() -> None:
    """Time the pairs and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2, help="number of pairs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the seconds of every pair")
    arguments, words = parser.parse_known_args()
    words = words or list(JOB)
    cores = joblib.cpu_count()
    threads = [sys.executable, "-c", THREADS.format(threads=cores)]
    processes = [sys.executable, "run_bench.py"]
    ratios, pairs = [], []
    for _ in range(arguments.pairs):
        threaded = seconds(threads, [*words, "--processes", "1"])
        parallel = seconds(processes, [*words, "--processes", str(cores)])
        ratios.append(threaded / parallel)
        pairs.append({"threads": threaded, "processes": parallel})
        times = f"1 process, {cores} threads: {threaded:.1f} s; {cores} processes, 1 thread: {parallel:.1f} s"
        print(f"{times}; {ratios[-1]:.2f}x")
    print(f"median: {median(ratios):.2f}x")
    keep({"job": words, "cores": cores, "seconds": pairs, "median_ratio": median(ratios)}, arguments.json)


if __name__ == "__main__":
    main()
