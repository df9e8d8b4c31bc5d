"""Carry out a plan's units on this machine: in this process, or in several that each take one unit after another.

One process computes with one thread, so a number depends neither on how many processes there are nor on the machine's
cores. Processes share nothing but the store and the results folder; one that dies loses the unit it was at.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench import device as devices
from bench.device import Processes
from bench.ledger.folder import Results
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.recon.store import Store
from bench.run.agenda import Agenda
from bench.run.estimate import rates
from bench.run.execute import Hands, Session
from bench.run.units import Chunk, Methods, Unit, cut_fits, cut_jobs
from bench.types import Plan


@dataclass(frozen=True)
class Task:
    """What a process needs to do any of the units."""

    plan: Plan
    methods: Methods
    units: Sequence[Unit]
    zoo: Zoo
    store: Path
    results: Path
    device: str

    def session(self, progress: Progress) -> Session:
        """A session of its own, in the same store and results folder."""
        return Session(Store(self.store), self.zoo, Results(self.results), self.device, 0, progress)


@dataclass
class _Outcome:
    failed: dict[str, str] = field(default_factory=dict)
    costs: list[tuple[str, str, int, float]] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)


class _Relay(Progress):
    """Progress of a process, told to the one that started it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._stages = pipe, 0

    def note(self, message: str) -> None:
        self._pipe.send(("note", message))

    def warn(self, message: str) -> None:
        self._pipe.send(("warn", message))

    def begin(self, title: str, total: int) -> int:
        self._stages += 1
        self._pipe.send(("begin", self._stages, title, total))
        return self._stages

    def advance(self, stage: int, units: int = 1) -> None:
        self._pipe.send(("advance", stage, units))

    def end(self, stage: int) -> None:
        self._pipe.send(("end", stage))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _serve(pipe: Connection, task: Task) -> None:
    """Do the units whose places come through a pipe, until None comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides; Ctrl-C reaches the whole group.
    threading.Thread(target=_die_with_parent, daemon=True).start()
    devices.pin()
    session = task.session(_Relay(pipe))
    hands = Hands(task.plan, task.methods, session)
    while (order := pipe.recv()) is not None:
        place, known = order
        session.failed = dict(known)
        hands.do(task.units[place])
        failed = {key: reason for key, reason in session.failed.items() if key not in known}
        pipe.send(("done", _Outcome(failed, session.costs, session.meter), hands.engine))
        session.costs = []
        session.meter.reset()
    hands.close()


class _Worker:
    """The parent's end of one process."""

    def __init__(self, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, task), daemon=True)
        self.process.start()
        theirs.close()
        self.place: int | None = None
        self.engine = ""
        self.stages: dict[int, int] = {}

    def end_stages(self, progress: Progress) -> None:
        """Close the stages that a process that died left open."""
        while self.stages:
            progress.end(self.stages.popitem()[1])


class Pool:
    """Several processes at one agenda."""

    def __init__(self, task: Task, agenda: Agenda, session: Session) -> None:
        self._task, self._agenda, self._session = task, agenda, session
        self._workers: list[_Worker] = []

    def run(self, count: int) -> None:
        """Work the agenda off with ``count`` processes."""
        try:
            self._workers = [_Worker(self._task) for _ in range(count)]
            while self._hand_out():
                busy = {worker.pipe: worker for worker in self._workers if worker.place is not None}
                for pipe in wait(list(busy)):
                    self._hear(busy[pipe])  # type: ignore[index]  # wait gives back what it was given
            for worker in self._workers:
                worker.pipe.send(None)
            for worker in self._workers:
                worker.process.join()
        finally:
            for worker in self._workers:
                worker.process.terminate()
                worker.end_stages(self._session.progress)

    def _hand_out(self) -> bool:
        """Give every idle process a unit that can be done now; whether anything is being done."""
        for worker in self._workers:
            if worker.place is None:
                others = {w.engine for w in self._workers if w is not worker and w.place is not None}
                worker.place = self._agenda.take(worker.engine, others)
                if worker.place is not None:
                    unit = self._agenda.units[worker.place]
                    worker.engine = unit.engine if isinstance(unit, Chunk) else worker.engine
                    worker.pipe.send((worker.place, self._agenda.failed))
        return any(worker.place is not None for worker in self._workers)

    def _hear(self, worker: _Worker) -> None:
        try:
            kind, *words = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._bury(worker)
            return
        if kind == "done":
            self._done(worker, *words)
        else:
            self._tell(worker, kind, words)

    def _tell(self, worker: _Worker, kind: str, words: list[Any]) -> None:
        progress = self._session.progress
        if kind == "begin":
            worker.stages[words[0]] = progress.begin(*words[1:])
        elif kind == "advance":
            progress.advance(worker.stages[words[0]], words[1])
        elif kind == "end":
            progress.end(worker.stages.pop(words[0]))
        elif kind == "warn":
            progress.warn(*words)
        else:
            progress.note(*words)

    def _done(self, worker: _Worker, outcome: _Outcome, engine: str) -> None:
        if worker.place is None:
            raise RuntimeError("A process has done what it was not given.")
        place, worker.place, worker.engine = worker.place, None, engine
        self._session.costs += outcome.costs
        self._session.meter.add(outcome.meter)
        self._agenda.finished(place, outcome.failed)

    def _bury(self, worker: _Worker) -> None:
        """A process has died: what it was at has failed, and another takes its place."""
        worker.process.join()
        worker.end_stages(self._session.progress)
        code = worker.process.exitcode
        why = f"signal {-code}; out of memory?" if code is not None and code < 0 else f"exit code {code}"
        reason = f"The process that did it ended ({why})."
        if worker.place is not None:
            unit = self._agenda.units[worker.place]
            self._session.progress.warn(f"failed: {unit.title}: {reason}")
            self._agenda.finished(worker.place, self._lost(unit, reason))
        self._workers[self._workers.index(worker)] = _Worker(self._task)

    def _lost(self, unit: Unit, reason: str) -> Mapping[str, str]:
        if isinstance(unit, Chunk):
            return {unit.recipe: reason}
        results = self._session.results
        cells = [cell for cell in unit.cells if not results.has_scores(results.scores_path(cell), cell.key)]
        return {cell.key: reason for cell in cells}


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
            Pool(task, agenda, session).run(count)
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
            hands.do(agenda.units[place])
            agenda.finished(place, hands.session.failed)
    finally:
        hands.close()
