"""A process that runs units of a plan, and its parent's handle on it."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench import device as devices
from bench import discover
from bench.data.decode import route_warnings
from bench.execution.relay import Relay, exit_with_parent, relay
from bench.execution.session import Place
from bench.execution.unit_runner import UnitRunner
from bench.planning.units import Methods, Unit
from bench.progress import Meter, Progress
from bench.types import Plan


@dataclass(frozen=True)
class Task:
    """What a process needs to run any of the units."""

    plan: Plan
    methods: Methods
    units: Sequence[Unit]
    place: Place


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


#: The unit runner of this process; set once by :func:`_start`.
_runner: UnitRunner | None = None
_units: Sequence[Unit] = ()


def _start(file: str, pipe: Connection, plugins: Sequence[Path]) -> None:
    """Prepare this process to run units; ``file`` holds the task, whose methods may come from ``plugins``."""
    global _runner, _units
    threading.Thread(target=exit_with_parent, daemon=True).start()
    discover.load_plugins(plugins)
    task: Task = pickle.loads(Path(file).read_bytes())  # Written by the parent a moment ago.
    _runner, _units = prepare(task, Relay(pipe))


def prepare(task: Task, progress: Progress) -> tuple[UnitRunner, Sequence[Unit]]:
    """Prepare a process to run the units of a task; returns the runner and the units."""
    devices.pin(task.place.zoo.numerics.precision, task.place.zoo.numerics.exact, task.place.device)
    route_warnings()
    return UnitRunner(task.plan, task.methods, task.place.session(progress)), task.units


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
        self._relay = threading.Thread(target=relay, args=(receiving, progress), daemon=True)
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
