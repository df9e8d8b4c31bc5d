"""Run a plan's units on a Ray cluster (``--executor ray``): the same pool, whose workers are actors on any host.

The scheduler of this package decides what runs next; Ray places an actor on each GPU, or on each core of machines
without one, and tells when an actor has died with its node. Actors read and write the store and the results folder, so
all hosts must see these under the same path, as well as the images; and this package must be installed on each.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray as _ray
from ray.exceptions import RayError, RayTaskError

from bench import discover
from bench.errors import UserError
from bench.execution.worker import Order, Outcome, Task, prepare, run_order
from bench.progress import Progress

ray: Any = _ray  # Its types are those of a call on the driver, not of what it returns.
#: What the driver's Ray may print: errors alone, because progress and warnings are this package's.
_QUIET: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}


class _Told(Progress):
    """Keeps notes and warnings until the driver fetches them with the outcome of a unit."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def note(self, message: str) -> None:
        self.messages.append(("note", message))

    def warn(self, message: str) -> None:
        self.messages.append(("warn", message))

    def fetch(self) -> list[tuple[str, str]]:
        """What was told since the last call."""
        messages, self.messages = self.messages, []
        return messages


class Runner:
    """An actor: a unit runner that keeps its engine loaded."""

    def __init__(self, task: bytes, folder: str, plugins: Sequence[Path]) -> None:
        with suppress(OSError):  # Another host may lack the driver's folder; then all paths have to be absolute.
            os.chdir(folder)
        discover.load_plugins(plugins)
        self._told = _Told()
        read: Task = pickle.loads(task)  # Written by the driver a moment ago.
        self._runner, self._units = prepare(read, self._told)

    def ready(self) -> None:
        """Does nothing: once it returns, the actor has started."""

    def run(self, order: Order) -> tuple[Outcome, list[tuple[str, str]]]:
        """Run one unit; returns its outcome and what it told."""
        return run_order(self._runner, self._units, order), self._told.fetch()

    def close(self) -> None:
        """Seal the open shard."""
        self._runner.close()


def _reason(error: RayError) -> str:
    """Why an actor died, in one line: the error that its start raised if there is one, else what Ray says first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    raised = any(line.startswith('File "') for line in lines)
    return f"{lines[0]}: {lines[-1]}" if raised else lines[0]


class RayWorker:
    """The driver's handle on one actor; see :class:`bench.execution.worker.Worker`."""

    def __init__(
        self,
        task: Any,  # noqa: ANN401 - a reference
        progress: Progress,
        resources: Mapping[str, int],
        runner: type[Runner] = Runner,
    ) -> None:
        self._progress = progress
        self._actor = (
            ray.remote(runner)
            .options(max_restarts=0, **resources)
            .remote(task, str(Path.cwd()), discover.plugin_files())
        )
        self.future: Future[Any] | None = self._told(self._actor.ready.remote())
        self.started = False
        self.unit_id: int | None = None
        self.refused: int | None = None
        self.engine = ""
        self._why = "it was ended"

    def _told(self, reference: Any) -> Future[Any]:  # noqa: ANN401 - Ray ships no usable type of a reference
        """The result of a call on the actor, with Ray's own errors as those of :mod:`concurrent.futures`."""
        result: Future[Any] = Future()

        def finish(done: Future[Any]) -> None:
            error = done.exception()
            if isinstance(error, RayTaskError):
                result.set_exception(error.cause)
            elif isinstance(error, RayError):
                self._why = _reason(error)
                result.set_exception(BrokenExecutor(self._why))
            elif error is not None:
                result.set_exception(error)
            else:
                result.set_result(self._passed_on(done.result()))

        reference.future().add_done_callback(finish)
        return result

    def _passed_on(self, value: Any) -> Any:  # noqa: ANN401 - nothing, or an outcome with messages
        if not isinstance(value, tuple):
            return value
        outcome, messages = value
        for kind, message in messages:
            (self._progress.warn if kind == "warn" else self._progress.note)(message)
        return outcome

    def submit(self, order: Order) -> None:
        """Give the actor a unit to run. If it has died, the future says so."""
        self.unit_id = order.unit_id
        self.future = self._told(self._actor.run.remote(order))

    def close(self) -> None:
        """Let the actor seal its shard and end; one that never started is only ended."""
        if self.started:
            with suppress(RayError):
                ray.get(self._actor.close.remote())
        self.terminate()

    def terminate(self) -> None:
        """End the actor, without waiting."""
        ray.kill(self._actor)

    def reap(self) -> str:
        """Why the actor has died."""
        return self._why


def _connect(address: str) -> None:
    """Connect to a cluster, or start one on this machine. Raises UserError if there is none at the address."""
    host, _, port = address.rpartition(":")
    try:
        if host and port.isdigit() and "://" not in host:
            socket.create_connection((host, int(port)), timeout=10).close()  # Ray itself tries for minutes.
        ray.init(address=address or "local", **_QUIET)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise UserError(
            f"There is no Ray cluster at {address}." if address else "Ray cannot be started on this machine.",
            f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}.",
            "Start it with `ray start --head`, and give the address that it prints.",
        ) from error


class Cluster:
    """A connection to a Ray cluster for one task: the one at ``address``, or one of this machine's cores.

    ``runner`` is the class of its actors.
    """

    def __init__(self, task: Task, address: str, progress: Progress, runner: type[Runner] = Runner) -> None:
        if not ray.is_initialized():
            _connect(address)
        self._task, self._progress, self._runner = ray.put(pickle.dumps(task)), progress, runner
        have = ray.cluster_resources()
        cores, gpus = int(have.get("CPU", 1)), int(have.get("GPU", 0))
        on_gpu = task.place.device == "cuda" and gpus
        self.size = gpus if on_gpu else cores
        self._resources = {"num_cpus": 1, **({"num_gpus": 1} if on_gpu else {})}

    def start(self) -> RayWorker:
        """Start an actor where there is a free GPU or core."""
        return RayWorker(self._task, self._progress, self._resources, self._runner)
