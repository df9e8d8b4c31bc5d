"""Carry out a plan's units on this machine: in this process, or in several that each take one unit after another.

One process computes with one thread, so a number depends neither on how many processes there are nor on the machine's
cores. Processes share nothing but the store and the results folder; what one was at that dies is tried once more.
"""

from __future__ import annotations

import pickle
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

from bench.device import Processes
from bench.errors import BenchError
from bench.run.agenda import Agenda
from bench.run.estimate import rates
from bench.run.execute import Session
from bench.run.hands import Hands
from bench.run.units import Chunk, Methods, Trial, Unit, cut_fits, cut_jobs
from bench.run.worker import Order, Outcome, Task, Worker
from bench.types import Cell, Plan

#: How often in a row a recipe's chunks are halved because processes end over them, before the recipe has failed.
_NARROWINGS = 8
#: How often a unit is begun, and processes are started in a row, before that counts as a failure.
_TRIES = 2


class Pool:
    """Several processes at one agenda, each started by ``start``."""

    def __init__(self, agenda: Agenda, session: Session, start: Callable[[], Worker]) -> None:
        self._agenda, self._session, self._start = agenda, session, start
        self._workers: list[Worker] = []
        self._deaths: Counter[int] = Counter()
        self._narrowed: Counter[str] = Counter()
        self._stillborn = 0

    def run(self, count: int) -> None:
        """Work the agenda off with ``count`` processes. Raises BenchError if none can be started."""
        try:
            for _ in range(count):
                self._workers.append(self._start())
            while self._hand_out():
                by_pipe = {id(worker.pipe): worker for worker in self._workers}
                for pipe in wait([worker.pipe for worker in self._workers]):
                    self._hear(by_pipe[id(pipe)])
            for worker in self._workers:
                worker.send(None)
        finally:
            for worker in self._workers:
                worker.end(self._session.progress)

    def _hand_out(self) -> bool:
        """Give every idle process a unit that can be done now; whether anything is left to do."""
        for worker in self._workers:
            if worker.ready and worker.place is None:
                others = {w.engine for w in self._workers if w is not worker and w.place is not None}
                worker.place = self._agenda.take(worker.engine, others)
                if worker.place is not None:
                    unit = self._agenda.units[worker.place]
                    worker.engine = unit.engine if isinstance(unit, Chunk) else ""
                    patient, late = worker.place in self._agenda.put_back, worker.place >= self._agenda.planned
                    failed, lost = dict(self._agenda.failed), self._session.lost
                    worker.send(Order(worker.place, failed, patient, lost, unit if late else None))
        busy = any(worker.place is not None for worker in self._workers)
        if not busy and self._agenda.waiting and all(worker.ready for worker in self._workers):
            raise RuntimeError(f"{self._agenda.waiting} units wait for something that nobody makes.")
        return busy or self._agenda.waiting > 0

    def _hear(self, worker: Worker) -> None:
        try:
            kind, *words = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if kind == "ready":
            worker.ready, self._stillborn = True, 0
        elif kind == "done":
            self._done(worker, *words)
        else:
            worker.report(kind, words, self._session.progress)

    def _done(self, worker: Worker, outcome: Outcome, engine: str) -> None:
        if worker.place is None:
            raise RuntimeError("A process has done what it was not given.")
        place, worker.place, worker.engine = worker.place, None, engine
        self._session.costs += outcome.costs
        self._session.meter.add(outcome.meter)
        unit = self._agenda.units[place]
        if isinstance(unit, Chunk) and not outcome.put_off:
            self._narrowed[unit.recipe] = 0
        for key, lost in outcome.lost.items():
            self._session.lost.setdefault(key, {}).update(lost)
        self._agenda.finished(place, outcome.failed, outcome.put_off)

    def _bury(self, worker: Worker) -> None:
        """A process has died: what it was at is tried once more, then fails; another process takes its place."""
        self._workers.remove(worker)
        why = worker.end(self._session.progress)
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn > _TRIES:
                raise BenchError(
                    f"No process can be started: {self._stillborn} ended before they could work ({why}).",
                    "What was computed is kept.",
                    "Run the same command with --processes 1.",
                )
        if worker.place is not None:
            self._lost(worker.place, why)
        if self._agenda.waiting:
            self._workers.append(self._start())

    def _lost(self, place: int, why: str) -> None:
        unit = self._agenda.units[place]
        self._deaths[place] += 1
        if self._deaths[place] < _TRIES:
            self._session.progress.warn(f"a process ended ({why}); once more: {unit.title}")
            self._agenda.again(place)
            return
        reason = f"{_TRIES} processes ended over it (the last: {why}); with fewer --processes each has more room"
        if isinstance(unit, Chunk) and unit.wanted and self._narrowed[unit.recipe] < _NARROWINGS:
            self._narrowed[unit.recipe] += 1
            self._narrow(place, unit, reason)
            return
        self._session.progress.warn(f"failed: {unit.title}: {reason}")
        keys = [unit.recipe] if isinstance(unit, Chunk) else [unit.fit.key, *(cell.key for cell in self._open(unit))]
        self._agenda.finished(place, dict.fromkeys(keys, reason))

    def _narrow(self, place: int, unit: Chunk, reason: str) -> None:
        """A chunk that ends processes is halved, until the image that does it is alone and lost."""
        if len(unit.wanted) > 1:
            self._session.progress.warn(f"in halves: {unit.title}: {reason}")
            self._agenda.replace(place, unit.halves())
            return
        self._session.progress.warn(f"quarantined image {unit.wanted[0]} for {unit.title}: {reason}")
        self._session.lost.setdefault(unit.recipe, {})[unit.wanted[0]] = reason
        self._agenda.finished(place, {})

    def _open(self, trial: Trial) -> list[Cell]:
        results = self._session.results
        return [cell for cell in trial.cells if not results.has_scores(results.scores_path(cell), cell.key)]


def work(plan: Plan, methods: Methods, session: Session, processes: Processes) -> None:
    """Make a plan's missing artefacts, train its unfinished fits, score its unscored cells."""
    store, results, zoo = session.store, session.results, session.zoo
    known = rates(results, zoo.is_mini)
    fits = cut_fits(plan, methods, store, results, known, zoo.hash)
    units: list[Unit] = [*cut_jobs(plan, store, known), *fits]
    agenda = Agenda(units, session.progress, session.failed)
    count = processes.count(session.device, len(units), sum(unit.seconds for unit in units))
    try:
        if count > 1:
            task = Task(plan, methods, units, zoo, store.root, results.root, session.device)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "task.pickle"
                file.write_bytes(pickle.dumps(task))
                Pool(agenda, session, partial(Worker, file)).run(count)
        else:
            _alone(Hands(plan, methods, session), agenda)
    finally:
        agenda.close()
    session.failed.update(agenda.failed)


def _alone(hands: Hands, agenda: Agenda) -> None:
    """Work an agenda off in this process."""
    try:
        while (place := agenda.take(hands.engine)) is not None:
            hands.session.failed.update(agenda.failed)
            hands.do(agenda.units[place], place in agenda.put_back)
            agenda.finished(place, hands.session.failed, hands.put_off)
        if agenda.waiting:
            raise RuntimeError(f"{agenda.waiting} units wait for something that nobody makes.")
    finally:
        hands.close()
