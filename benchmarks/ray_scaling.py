"""Measure how a run scales over simulated workers on Ray: the time on one worker, over workers times their time.

    python -m benchmarks.ray_scaling [--workers 8] [--json FILE]

Devices are simulated by waiting for a declared time, so that a machine with few cores can act for many devices; the
scheduler, Ray, the locks and the store are the real ones. Two runs:

- artefacts: every image of the miniature's sdv14, adm and biggan subsets, through an engine that takes 0.05 s each
  (`benchmarks/simulated_device.py`). Images are read, encoded and written for real, by one worker, then by all;
- the main job: all units of `--methods all --train sdv14`, each a quarter as long as `plan` estimates. Its
  time on one worker is the sum of the units.

Workers are started before the clock is. `efficiency_8` is that of the main job.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray as _ray
from tabulate import tabulate

from bench import device as devices
from bench import discover
from bench.artefacts.store import Store
from bench.cli.run_options import RunOptions
from bench.cli.setup import Prepared, check, plan_of
from bench.execution.cluster import Cluster, RayWorker, Runner
from bench.execution.pool import Pool
from bench.execution.scheduler import Scheduler
from bench.execution.session import Place, Session, open_session
from bench.execution.worker import Order, Outcome, Task
from bench.planning.estimate import rates
from bench.planning.matrix import detectors
from bench.planning.units import Unit, cut_fits, cut_jobs
from bench.progress import Progress
from bench.types import Plan
from benchmarks.output import keep

ray: Any = _ray  # Its types are those of a call on the driver, not of what it returns.
PLUGIN = Path(__file__).with_name("simulated_device.py")


class Waiting(Runner):
    """An actor that spends a unit's estimated time and computes nothing."""

    def run(self, order: Order) -> tuple[Outcome, list[tuple[str, str]]]:
        """Wait for one unit."""
        time.sleep((order.unit or self._units[order.unit_id]).seconds)
        return Outcome(), []


@dataclass
class Job:
    """A plan in folders of its own, whose units are run by actors."""

    prepared: Prepared
    plan: Plan
    session: Session

    @classmethod
    def new(cls, options: RunOptions) -> Job:
        """Check the options and plan."""
        progress = Progress()
        prepared = check(options, progress)
        session = open_session(prepared.zoo, prepared.store, prepared.results, "cpu", progress)
        return cls(prepared, plan_of(prepared, options, progress), session)

    def units(self, fits: bool) -> list[Unit]:
        """The chunks of the plan, and its fits."""
        store, results, zoo = self.session.store, self.session.results, self.session.zoo
        known = rates(results, zoo.is_mini)
        trials = cut_fits(self.plan, detectors(self.prepared.request), store, results, known, zoo.resolve)
        return [*cut_jobs(self.plan, store, known), *(trials if fits else ())]

    def seconds(self, units: list[Unit], count: int, runner: type[Runner] = Runner) -> float:
        """Wall time of some units on actors that are there already."""
        methods = detectors(self.prepared.request)
        there = Cluster(Task(self.plan, methods, units, Place.of(self.session)), "", self.session.progress, runner)
        waiting = [there.start() for _ in range(count)]
        wait([worker.future for worker in waiting if worker.future is not None])
        started = time.monotonic()
        Pool(Scheduler(units, self.session.progress, {}), self.session, _one_of(waiting)).run(count)
        if self.session.failed:
            raise RuntimeError(f"Units have failed: {self.session.failed}.")
        return time.monotonic() - started


def _one_of(waiting: list[RayWorker]) -> Callable[[], RayWorker]:
    return waiting.pop


def artefacts(home: Path, counts: tuple[int, int], limit: int) -> dict[str, float]:
    """Real chunks on a simulated device."""
    taken = []
    for count in counts:
        places: dict[str, Any] = {"store": home / f"store-{count}", "results": home / f"results-{count}"}
        words: dict[str, Any] = {"methods": PLUGIN.stem, "test": "genimage:sdv14,adm,biggan", "protocols": "raw"}
        job = Job.new(RunOptions(**words, limit_train=limit, limit_test=2 * limit // 5, device="cpu", **places))
        units = job.units(fits=False)
        images = sum(unit.images for unit in units if not hasattr(unit, "fit"))
        taken.append(job.seconds(units, count))
        made = sum(
            len(Store(home / f"store-{count}").missing(j.recipe, [i.image_id for i in j.slice.usable]))
            for j in job.plan.jobs
        )
        if made:
            raise RuntimeError(f"{made} artefacts were not made.")
    return {"images": images, "one_s": taken[0], "all_s": taken[1], "efficiency": taken[0] / taken[1] / counts[1]}


def main_job(home: Path, count: int, speed: float) -> dict[str, float]:
    """All units of the main job, each as long as it is estimated to take."""
    job = Job.new(RunOptions(device="cpu", store=home / "store", results=home / "results"))
    units = [replace(unit, seconds=unit.seconds / speed) for unit in job.units(fits=True)]
    one, longest = sum(unit.seconds for unit in units), max(unit.seconds for unit in units)
    taken = job.seconds(units, count, Waiting)
    return {"units": len(units), "one_s": one, "longest_s": longest, "all_s": taken, "efficiency": one / taken / count}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=8, help="number of simulated workers")
    parser.add_argument("--limit", type=int, default=500, help="training images per class of the artefacts")
    parser.add_argument("--speed", type=float, default=4.0, help="how much shorter units of the main job are")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    devices.pin()
    discover.load_plugins([PLUGIN])
    count = arguments.workers
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    ray.init(address="local", num_cpus=count, **quiet)
    with tempfile.TemporaryDirectory() as home:
        parts = {
            "artefacts": artefacts(Path(home), (1, count), arguments.limit),
            "main_job": main_job(Path(home), count, arguments.speed),
        }
    ray.shutdown()
    figures = {f"{part}_{name}": value for part, found in parts.items() for name, value in found.items()}
    figures |= {"workers": count, f"efficiency_{count}": parts["main_job"]["efficiency"]}
    print(tabulate([(name, f"{value:,.2f}") for name, value in figures.items()], headers=("figure", "value")))
    keep(figures, arguments.json)


if __name__ == "__main__":
    main()
