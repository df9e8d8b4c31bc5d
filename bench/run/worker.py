"""One process that does units as they are ordered, and its parent's end of it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench import device as devices
from bench.data.decode import route_warnings
from bench.ledger.folder import Results
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.recon.store import Store
from bench.run.execute import Session
from bench.run.hands import Hands
from bench.run.units import Methods, Unit
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
class Outcome:
    """What a process says of a unit that it has done."""

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
        done = Outcome(failed, session.costs, session.meter, hands.put_off, session.lost)
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

    def report(self, kind: str, words: Sequence[Any], progress: Progress) -> None:
        """Hand on what the process says of its progress."""
        if kind == "begin":
            self.stages[words[0]] = progress.begin(*words[1:])
        elif kind == "advance":
            progress.advance(self.stages[words[0]], words[1])
        elif kind == "end":
            progress.end(self.stages.pop(words[0]))
        elif kind == "warn":
            progress.warn(*words)
        else:
            progress.note(*words)

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
