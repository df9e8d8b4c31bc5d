"""Measure the artefact store with many small records, beside one plain file per record.

    python -m benchmarks.store [--records N] [--bytes N] [--folder DIR] [--json FILE]

Fills a temporary store, then opens it in fresh processes and reads records in random order, each checked against its
checksum. Plain files are written and read in the same run, up to 50,000 of them. Needs about 5 GB for 1,000,000 records
of 4 KB. The machine should be idle.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tabulate import tabulate

from bench.artefacts.store import Store
from bench.recipe import SOURCE, Recipe
from benchmarks.output import keep

RECIPE = Recipe("benchmark", 1, inputs={"image": SOURCE})
CHUNK = 64
FILES = 50_000
LOOKUPS = 100_000
PROCESSES = 3


def identities(count: int) -> list[str]:
    """Image ids, the same in every process."""
    rng = random.Random(0)
    return [f"{rng.getrandbits(128):032x}" for _ in range(count)]


def fill(store: Store, names: list[str], size: int) -> float:
    """Append records in chunks; returns the seconds."""
    body = os.urandom(size + 256)
    started = time.monotonic()
    with store.writer(RECIPE, "png") as writer:
        for start in range(0, len(names), CHUNK):
            part = names[start : start + CHUNK]
            writer.put({name: body[i % 256 : i % 256 + size] for i, name in enumerate(part, start)})
    return time.monotonic() - started


def write_files(folder: Path, names: list[str], size: int) -> float:
    """Write one file per record in 256 folders, synchronised once per chunk as the store does; returns the seconds."""
    body = os.urandom(size + 256)
    for number in range(256):
        (folder / f"{number:02x}").mkdir(parents=True)
    started = time.monotonic()
    for start in range(0, len(names), CHUNK):
        for i, name in enumerate(names[start : start + CHUNK], start):
            with (folder / name[:2] / name).open("wb") as file:
                file.write(body[i % 256 : i % 256 + size])
        with (folder / name[:2] / name).open("rb") as file:
            os.fsync(file.fileno())
    return time.monotonic() - started


def rate(names: list[str], read: Callable[[str], object]) -> float:
    """Reads per second in random order."""
    order = random.Random(1).choices(names, k=LOOKUPS)
    started = time.monotonic()
    for name in order:
        read(name)
    return len(order) / (time.monotonic() - started)


def reader(root: Path, count: int) -> dict[str, float]:
    """What one fresh process measures: seconds to open, lookups per second, resident memory in MB."""
    names = identities(count)
    before = resident()
    store, started = Store(root), time.monotonic()
    missing = store.missing(RECIPE, names[:1])
    opened = time.monotonic() - started
    if missing:
        raise RuntimeError("The store lacks a record that was put into it.")
    per_second = rate(names, lambda name: store.get(RECIPE, name))
    started = time.monotonic()
    store.missing(RECIPE, names)
    return {
        "open_s": opened,
        "lookups_per_s": per_second,
        "missing_s": time.monotonic() - started,
        "resident_mb": resident(),
        "added_mb": resident() - before,
    }


def resident() -> float:
    """Resident memory of this process in MB."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(root: Path, records: int, size: int) -> dict[str, float]:
    """All figures."""
    names = identities(records)
    appended = fill(Store(root / "store"), names, size)
    some = names[: min(FILES, records)]
    appended_some = fill(Store(root / "some"), some, size)
    written = write_files(root / "files", some, size)
    command = [sys.executable, "-m", "benchmarks.store", "--reader", str(root / "store"), "--records", str(records)]
    runs = [json.loads(subprocess.check_output(command)) for _ in range(PROCESSES)]
    from_files = rate(some, lambda name: (root / "files" / name[:2] / name).read_bytes())
    some_store = Store(root / "some")
    from_store = rate(some, lambda name: some_store.get(RECIPE, name))
    figures = {name: median(run[name] for run in runs) for name in runs[0]}
    return {
        "records": records,
        "bytes": size,
        **figures,
        "appends_per_s": records / appended,
        "append_vs_files": written / appended_some,
        "lookup_vs_files": from_store / from_files,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--bytes", type=int, default=4096)
    parser.add_argument("--folder", type=Path, help="where the temporary store is made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    parser.add_argument("--reader", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.reader:
        print(json.dumps(reader(arguments.reader, arguments.records)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as home:
        figures = measure(Path(home), arguments.records, arguments.bytes)
    print(tabulate([(name, f"{value:,.2f}") for name, value in figures.items()], headers=("figure", "value")))
    print("append_vs_files, lookup_vs_files: speed of the store over that of plain files; above 1 the store is faster")
    keep(figures, arguments.json)


if __name__ == "__main__":
    main()
