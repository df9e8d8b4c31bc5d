"""A process that runs units of a plan, and its parent's handle on it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench import device as devices
from bench import discover
from bench.artefacts.store import Store
from bench.data.decode import route_warnings
from bench.execution.session import Session
from bench.execution.unit_runner import UnitRunner
from bench.models.zoo import Zoo
from bench.planning.units import Methods, Unit
from bench.progress import Meter, Progress
from bench.results.folder import Results
from bench.types import Plan


@dataclass(frozen=True)
class Task:
    """What a process needs to run any of the units."""

    plan: Plan
    methods: Methods
    units: Sequence[Unit]
    zoo: Zoo
    store: Path
    results: Path
    device: str
    workers: int = 0

    def session(self, progress: Progress) -> Session:
        """A new session on the same store and results folder."""
        places = (Store(self.store), self.zoo, Results(self.results))
        return Session(*places, self.device, self.workers, progress, exact=self.zoo.numerics.exact)


@dataclass(frozen=True)
class Order:
    """A unit for a process to run, and what has failed and been lost so far.

    ``wait``: nothing else is left, so the process waits a moment if another run is busy with the unit. ``unit`` is set
    if it was added after the process was started.
    """

    unit_id: int
    failed: dict[str, str]
    wait: bool
    lost: dict[str, dict[str, str]]
    unit: Unit | None = None


@dataclass
class Outcome:
    """The result of a unit: new failures and lost artefacts, costs and counts, and the engine that is loaded now.

    ``busy``: another run on the store is computing it.
    """

    failed: dict[str, str] = field(default_factory=dict)
    costs: list[tuple[str, str, int, float]] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)
    busy: bool = False
    lost: dict[str, dict[str, str]] = field(default_factory=dict)
    engine: str = ""


class _Relay(Progress):
    """Progress of a process, sent to its parent."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._stages = pipe, 0

    def _send(self, message: tuple[Any, ...]) -> None:
        with suppress(OSError):  # The parent no longer listens: no reason to fail the work.
            self._pipe.send(message)

    def note(self, message: str) -> None:
        self._send(("note", message))

    def warn(self, message: str) -> None:
        self._send(("warn", message))

    def begin(self, title: str, total: int) -> int:
        self._stages += 1
        self._send(("begin", self._stages, title, total))
        return self._stages

    def advance(self, stage: int, units: int = 1) -> None:
        self._send(("advance", stage, units))

    def end(self, stage: int) -> None:
        self._send(("end", stage))


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


#: The unit runner of this process; set once by :func:`_start`.
_runner: UnitRunner | None = None
_units: Sequence[Unit] = ()


def _start(file: str, pipe: Connection, plugins: Sequence[Path]) -> None:
    """Prepare this process to run units; ``file`` holds the task, whose methods may come from ``plugins``."""
    global _runner, _units
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    discover.load_plugins(plugins)
    task: Task = pickle.loads(Path(file).read_bytes())  # Written by the parent a moment ago.
    _runner, _units = prepare(task, _Relay(pipe))


def prepare(task: Task, progress: Progress) -> tuple[UnitRunner, Sequence[Unit]]:
    """Prepare a process to run the units of a task; returns the runner and the units."""
    devices.pin(task.zoo.numerics.precision)
    route_warnings()
    return UnitRunner(task.plan, task.methods, task.session(progress)), task.units


def _ready() -> None:
    """Does nothing: once its future is done, the process has started."""


def _run(order: Order) -> Outcome:
    """Run one unit in this process."""
    if _runner is None:
        raise RuntimeError("This process has not been prepared.")
    return run_order(_runner, _units, order)


def run_order(runner: UnitRunner, units: Sequence[Unit], order: Order) -> Outcome:
    """Run one unit; returns what has become of it."""
    session = runner.session
    session.failed = dict(order.failed)
    session.lost.clear()
    session.lost |= {key: dict(reasons) for key, reasons in order.lost.items()}
    session.costs = []
    session.meter.reset()
    done = runner.run(order.unit or units[order.unit_id], order.wait)
    failed = {key: reason for key, reason in session.failed.items() if key not in order.failed}
    return Outcome(failed, session.costs, session.meter, not done, session.lost, runner.engine)


def _close() -> None:
    """Seal the open shard."""
    if _runner is not None:
        _runner.close()


class Worker:
    """The parent's handle on one process. ``future`` is what it is doing: starting, running a unit, or None."""

    def __init__(self, file: Path, progress: Progress) -> None:
        context = multiprocessing.get_context("spawn")
        receiving, sending = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(1, context, _start, (str(file), sending, discover.plugin_files()))
        before = set(multiprocessing.active_children())
        with interrupts_ignored():
            self.future: Future[Any] | None = self._executor.submit(_ready)
        sending.close()
        self._process = next(iter(set(multiprocessing.active_children()) - before), None)  # None: it died at once.
        self._relay = threading.Thread(target=_relay, args=(receiving, progress), daemon=True)
        self._relay.start()
        self.started = False
        self.unit_id: int | None = None
        self.refused: int | None = None  # A unit that it was to run, but it had died before.
        self.engine = ""

    def submit(self, order: Order) -> None:
        """Give the process a unit to run. If it has died, the future says so."""
        self.unit_id = order.unit_id
        try:
            self.future = self._executor.submit(_run, order)
        except BrokenExecutor as error:
            self.unit_id, self.refused = None, order.unit_id
            self.future = Future()
            self.future.set_exception(error)

    def close(self) -> None:
        """Let the process seal its shard and exit."""
        with suppress(BrokenExecutor):
            self._executor.submit(_close).result()
        self._executor.shutdown()
        self._relay.join()

    def terminate(self) -> None:
        """Tell the process to end, without waiting."""
        if self._process is not None:
            self._process.terminate()

    def reap(self) -> str:
        """Clean up after a process that has died or was terminated; returns why: ``signal 9``, ``exit code 1``."""
        self._executor.shutdown(cancel_futures=True)
        self._relay.join()
        code = None if self._process is None else self._process.exitcode
        if code is None:
            return "it ended at once"
        return f"signal {-code}; out of memory?" if code < 0 else f"exit code {code}"


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C, also in processes started here: it reaches the whole group, and the parent decides what to do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _relay(pipe: Connection, progress: Progress) -> None:
    """Forward a process's progress until it exits, and close the stages that it left open."""
    stages: dict[int, int] = {}
    with suppress(EOFError, OSError):
        while True:
            message = pipe.recv()
            with suppress(OSError, KeyError):  # Standard error may be closed; the work goes on.
                _forward(message, stages, progress)
    while stages:
        with suppress(OSError):
            progress.end(stages.popitem()[1])


def _forward(message: Sequence[Any], stages: dict[int, int], progress: Progress) -> None:
    kind, *words = message
    if kind == "begin":
        stages[words[0]] = progress.begin(*words[1:])
    elif kind == "advance":
        progress.advance(stages[words[0]], words[1])
    elif kind == "end":
        progress.end(stages.pop(words[0]))
    elif kind == "warn":
        progress.warn(*words)
    else:
        progress.note(*words)
