"""Execute a plan's units on this machine: in this process, or in several that each run one unit after another.

Each process computes with one thread, so a number depends neither on how many processes there are nor on how many cores
the machine has. Processes share nothing but the store and the results folder; a dead process's unit is retried once.
"""

from __future__ import annotations

import pickle
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bench.artefacts.store import DiskFull
from bench.device import Processes
from bench.errors import BenchError
from bench.execution.scheduler import Scheduler
from bench.execution.session import Place, Session, reason_of
from bench.execution.unit_runner import UnitRunner
from bench.execution.worker import Order, Outcome, Task, Worker, interrupts_ignored
from bench.planning.estimate import rates
from bench.planning.units import Chunk, Methods, Trial, Unit, cut_fits, cut_jobs
from bench.types import Cell, Plan

#: How many chunks of a recipe in a row are halved because processes die over them, before the recipe has failed.
_MAX_HALVINGS = 8
#: How often a unit is attempted, and how many processes in a row may die while starting.
_ATTEMPTS = 2


class Failures:
    """What becomes of units over which processes die: they are retried, halved, and at last they have failed."""

    def __init__(self, scheduler: Scheduler, session: Session) -> None:
        self._scheduler, self._session = scheduler, session
        self._deaths: Counter[int] = Counter()
        self._halvings: Counter[str] = Counter()

    def forgive(self, unit: Unit) -> None:
        """A unit is done: processes do not die over every chunk of its recipe."""
        if isinstance(unit, Chunk):
            self._halvings[unit.recipe] = 0

    def retry_or_fail(self, unit_id: int, why: str) -> None:
        """A process died over a unit."""
        unit = self._scheduler.units[unit_id]
        self._deaths[unit_id] += 1
        self._session.meter.units_retried += 1
        if self._deaths[unit_id] < _ATTEMPTS:
            self._session.progress.warn(f"a process died ({why}); retrying: {unit.title}")
            self._scheduler.return_unit(unit_id)
            return
        reason = f"{_ATTEMPTS} processes died over it (the last: {why}); fewer --processes leave more memory for each"
        if isinstance(unit, Chunk) and unit.wanted and self._halvings[unit.recipe] < _MAX_HALVINGS:
            self._halvings[unit.recipe] += 1
            self._halve(unit_id, unit, reason)
            return
        self.fail(unit_id, reason)

    def fail(self, unit_id: int, reason: str) -> None:
        """A unit has failed."""
        unit = self._scheduler.units[unit_id]
        self._session.progress.warn(f"failed: {unit.title}: {reason}")
        keys = [unit.recipe] if isinstance(unit, Chunk) else [unit.fit.key, *(c.key for c in self._unscored(unit))]
        self._scheduler.finish(unit_id, dict.fromkeys(keys, reason))

    def _halve(self, unit_id: int, unit: Chunk, reason: str) -> None:
        """Halve a chunk over which processes die, until the image that causes it is alone and quarantined."""
        if len(unit.wanted) > 1:
            self._session.progress.warn(f"in halves: {unit.title}: {reason}")
            self._scheduler.replace(unit_id, unit.halves())
            return
        self._session.progress.warn(f"quarantined image {unit.wanted[0]} for {unit.title}: {reason}")
        self._session.lost.setdefault(unit.recipe, {})[unit.wanted[0]] = reason
        self._scheduler.finish(unit_id, {})

    def _unscored(self, trial: Trial) -> list[Cell]:
        results = self._session.results
        return [cell for cell in trial.cells if not results.has_scores(results.scores_path(cell), cell.key)]


class Handle(Protocol):
    """A worker as its pool sees it: :class:`~bench.execution.worker.Worker`, or an actor of a cluster."""

    future: Future[Any] | None
    started: bool
    unit_id: int | None
    refused: int | None
    engine: str

    def submit(self, order: Order) -> None:
        """Give it a unit to run."""

    def close(self) -> None:
        """Let it finish what is open, and end it."""

    def terminate(self) -> None:
        """Tell it to end, without waiting."""

    def reap(self) -> str:
        """Clean up after it has died; returns why."""


class Pool:
    """Several processes that share one scheduler; ``start`` starts a process."""

    def __init__(self, scheduler: Scheduler, session: Session, start: Callable[[], Handle]) -> None:
        self._scheduler, self._session, self._start = scheduler, session, start
        self._workers: list[Handle] = []
        self._failures = Failures(scheduler, session)
        self._failed_starts = 0

    def run(self, count: int) -> None:
        """Run every unit with ``count`` processes. Raises BenchError if none can be started."""
        try:
            for _ in range(count):
                self._add_worker()
            while self._assign():
                futures = {worker.future: worker for worker in self._workers if worker.future is not None}
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    self._receive(futures[future])
            while self._workers:
                self._workers[-1].close()
                self._workers.pop()
        finally:
            with interrupts_ignored():
                for worker in self._workers:
                    worker.terminate()
                for worker in self._workers:
                    worker.reap()

    def _add_worker(self) -> None:
        """Start a process. Raises BenchError if the machine cannot, and no other is there."""
        try:
            self._workers.append(self._start())
        except OSError as error:
            if not self._workers:
                raise BenchError(
                    f"No process can be started: {error}.", "What was computed is kept.", "Rerun with --processes 1."
                ) from error
            self._session.progress.warn(f"no further process can be started: {error}")

    def _assign(self) -> bool:
        """Give every idle process a unit that can be run now; returns whether any process is busy."""
        for worker in self._workers:
            if worker.future is None:
                others = {w.engine for w in self._workers if w is not worker and w.unit_id is not None}
                unit_id = self._scheduler.take(worker.engine, others)
                if unit_id is not None:
                    unit = self._scheduler.units[unit_id]
                    worker.engine = unit.engine if isinstance(unit, Chunk) else ""
                    wait, added = unit_id in self._scheduler.deferred, unit_id >= self._scheduler.planned
                    failed = dict(self._scheduler.failed)
                    lost = {key: dict(reasons) for key, reasons in self._session.lost.items()}
                    worker.submit(Order(unit_id, failed, wait, lost, unit if added else None))
        running = any(worker.unit_id is not None for worker in self._workers)
        starting = any(worker.future is not None for worker in self._workers)
        if not starting:
            self._scheduler.check_finished()
        return running or bool(starting and self._scheduler.waiting)

    def _receive(self, worker: Handle) -> None:
        """Take the result of a worker's future."""
        future, worker.future = worker.future, None
        try:
            outcome = None if future is None else future.result()
        except BrokenExecutor:
            self._replace_dead(worker)
            return
        except Exception as error:  # What the process could not turn into a status fails that unit alone.
            unit_id, worker.unit_id = worker.unit_id, None
            if unit_id is None or isinstance(error, DiskFull):
                raise
            self._failures.fail(unit_id, reason_of(error))
            return
        if worker.unit_id is None:
            worker.started, self._failed_starts = True, 0
        elif outcome is not None:
            self._finish(worker, outcome)

    def _finish(self, worker: Handle, outcome: Outcome) -> None:
        unit_id, worker.unit_id, worker.engine = worker.unit_id, None, outcome.engine
        if unit_id is None:
            raise RuntimeError("A process reported a unit that it was not given.")
        self._session.costs += outcome.costs
        self._session.meter.add(outcome.meter)
        unit = self._scheduler.units[unit_id]
        if not outcome.busy:
            self._failures.forgive(unit)
        for key, lost in outcome.lost.items():
            self._session.lost.setdefault(key, {}).update(lost)
        if outcome.busy:
            self._scheduler.defer(unit_id)
        else:
            self._scheduler.finish(unit_id, outcome.failed)

    def _replace_dead(self, worker: Handle) -> None:
        """Start another process for one that has died; its unit is retried once, then it has failed."""
        self._workers.remove(worker)
        why = worker.reap()
        if not worker.started:
            self._failed_starts += 1
            if self._failed_starts > _ATTEMPTS:
                raise BenchError(
                    f"No process can be started: {self._failed_starts} died while starting ({why}).",
                    "What was computed is kept.",
                    "Rerun the same command with --processes 1.",
                )
        if worker.refused is not None:
            self._scheduler.return_unit(worker.refused)
        if worker.unit_id is not None:
            self._failures.retry_or_fail(worker.unit_id, why)
        if self._scheduler.waiting:
            self._add_worker()


def execute(plan: Plan, methods: Methods, session: Session, processes: Processes, cluster: str | None = None) -> None:
    """Make a plan's missing artefacts, train its unfinished fits, score its unscored cells.

    ``cluster`` is the address of a Ray cluster; empty for one of this machine's cores, None for this package's own
    processes.
    """
    store, results, zoo = session.store, session.results, session.zoo
    recorded = rates(results, zoo.is_mini)
    fits = cut_fits(plan, methods, store, results, recorded, zoo.resolve)
    units: list[Unit] = [*cut_jobs(plan, store, recorded), *fits]
    scheduler = Scheduler(units, session.progress, session.failed)
    count = processes.count(session.device, len(units), sum(unit.seconds for unit in units))
    task = Task(plan, methods, units, Place.of(session, -(-session.workers // (count if cluster is None else 1))))
    try:
        if cluster is not None and units:
            from bench.execution.cluster import Cluster

            there = Cluster(task, cluster, session.progress)
            most = processes.most if processes.requested else there.size
            Pool(scheduler, session, there.start).run(max(1, min(most, there.size, len(units))))
        elif count > 1:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "task.pickle"
                file.write_bytes(pickle.dumps(task))
                Pool(scheduler, session, partial(Worker, file, session.progress)).run(count)
        else:
            _run_here(UnitRunner(plan, methods, session), scheduler)
    finally:
        scheduler.close()
    session.failed.update(scheduler.failed)


def _run_here(runner: UnitRunner, scheduler: Scheduler) -> None:
    """Run every unit in this process."""
    failed = runner.session.failed
    try:
        while (unit_id := scheduler.take(runner.engine)) is not None:
            failed.update(scheduler.failed)
            if runner.run(scheduler.units[unit_id], wait=unit_id in scheduler.deferred):
                scheduler.finish(unit_id, failed)
            else:
                scheduler.defer(unit_id)
        scheduler.check_finished()
    finally:
        runner.close()
