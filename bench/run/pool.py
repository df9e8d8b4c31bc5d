"""Carry out a plan's units on this machine: in this process, or in several that each take one unit after another.

One process computes with one thread, so a number depends neither on how many processes there are nor on the machine's
cores. Processes share nothing but the store and the results folder; what one was at that dies is tried once more.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench import device as devices
from bench.data.decode import route_warnings
from bench.device import Processes
from bench.errors import BenchError
from bench.ledger.folder import Results
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.recon.store import Store
from bench.run.agenda import Agenda
from bench.run.estimate import rates
from bench.run.execute import Session
from bench.run.hands import Hands
from bench.run.units import Chunk, Methods, Trial, Unit, cut_fits, cut_jobs
from bench.types import Cell, Plan

#: How often a unit is begun, and processes are started in a row, before that counts as a failure.
_TRIES = 2


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
    put_off: bool = False
    lost: dict[str, dict[str, str]] = field(default_factory=dict)


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


@dataclass(frozen=True)
class Order:
    """A unit for a process to do: its place, what has failed and been lost so far, and whether to wait for others.

    ``unit`` is given where it came up after the process was started.
    """

    place: int
    failed: dict[str, str]
    patient: bool
    lost: dict[str, dict[str, str]]
    unit: Unit | None = None


def _serve(pipe: Connection, file: str) -> None:
    """Do the units whose places come through a pipe, until None comes; ``file`` holds the task."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    task: Task = pickle.loads(Path(file).read_bytes())  # Written by the parent, a moment ago.
    devices.pin()
    route_warnings()
    session = task.session(_Relay(pipe))
    hands = Hands(task.plan, task.methods, session)
    pipe.send(("ready",))
    while (order := pipe.recv()) is not None:
        session.failed = dict(order.failed)
        session.lost.clear()
        session.lost |= {key: dict(some) for key, some in order.lost.items()}
        hands.do(order.unit or task.units[order.place], order.patient)
        failed = {key: reason for key, reason in session.failed.items() if key not in order.failed}
        done = _Outcome(failed, session.costs, session.meter, hands.put_off, session.lost)
        pipe.send(("done", done, hands.engine))
        session.costs = []
        session.meter.reset()
    hands.close()


class Worker:
    """The parent's end of one process."""

    def __init__(self, file: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, str(file)), daemon=True)
        # Ctrl-C reaches the whole group; the parent decides. What is ignored stays so in what is started.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if _is_main() else None
        try:
            self.process.start()
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)
        theirs.close()
        self.ready = False
        self.place: int | None = None
        self.engine = ""
        self.stages: dict[int, int] = {}

    def send(self, order: Order | None) -> None:
        """Give an order. One that cannot be given is noticed when the pipe is read: it ends there."""
        with suppress(OSError):
            self.pipe.send(order)

    def end(self, progress: Progress) -> str:
        """End the process if it has not ended; close the stages it left open. Why it ended, for people."""
        self.process.join(timeout=5)
        self.process.terminate()
        self.process.join()
        while self.stages:
            progress.end(self.stages.popitem()[1])
        code = self.process.exitcode or 0
        return f"signal {-code}; out of memory?" if code < 0 else f"exit code {code}"


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


class Pool:
    """Several processes at one agenda, each started by ``start``."""

    def __init__(self, agenda: Agenda, session: Session, start: Callable[[], Worker]) -> None:
        self._agenda, self._session, self._start = agenda, session, start
        self._workers: list[Worker] = []
        self._deaths: Counter[int] = Counter()
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
            self._tell(worker, kind, words)

    def _tell(self, worker: Worker, kind: str, words: list[Any]) -> None:
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

    def _done(self, worker: Worker, outcome: _Outcome, engine: str) -> None:
        if worker.place is None:
            raise RuntimeError("A process has done what it was not given.")
        place, worker.place, worker.engine = worker.place, None, engine
        self._session.costs += outcome.costs
        self._session.meter.add(outcome.meter)
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
        if isinstance(unit, Chunk) and unit.wanted:
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
