"""What one process executes with, and what it has done so far. Importing this imports torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import device as devices
from bench.artefacts.reader import Reader
from bench.artefacts.store import DamagedArtefact, Store
from bench.errors import BenchError
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.results.folder import Results
from bench.training.faults import BadImages
from bench.training.loader import Runtime


def _cannot_remake(error: DamagedArtefact) -> None:
    raise error


@dataclass
class Session:
    """Where an execution reads and writes, and its counts, costs and failures.

    ``workers`` is the number of data loading processes. ``failed`` holds the reason of every unit that failed, by its
    key; ``lost`` says by recipe key and image id why an artefact could not be made. ``exact``: scores must not depend
    on how many there are, see :class:`~bench.training.loader.Runtime`. ``remake`` makes one damaged artefact again.
    """

    store: Store
    zoo: Zoo
    results: Results
    device: str
    workers: int
    progress: Progress
    meter: Meter = field(default_factory=Meter)
    failed: dict[str, str] = field(default_factory=dict)
    lost: dict[str, dict[str, str]] = field(default_factory=dict)
    costs: list[tuple[str, str, int, float]] = field(default_factory=list)
    exact: bool = True
    remake: Callable[[DamagedArtefact], None] = _cannot_remake

    @property
    def reader(self) -> Reader:
        """Reads images and artefacts of this session's store."""
        return Reader(self.store)

    @property
    def runtime(self) -> Runtime:
        """What training and prediction need of this session."""
        return Runtime(self.reader, self.device, self.meter, self.progress, self.workers, self.lost, exact=self.exact)

    def attempt(self, key: str, title: str, work: Callable[[], None]) -> bool:
        """Do a unit of work; a failure is reported, kept under ``key``, and stops nothing else."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the one place where a unit's failure becomes a status
            reason = reason_of(error)
            self.failed[key] = reason
            self.progress.warn(f"failed: {title}: {reason}")
            return False
        return True

    def repair(self, work: Callable[[], None]) -> None:
        """Do a piece of work; artefacts that turn out to be damaged are made again, and the work is repeated.

        An artefact that is damaged a second time is an error.
        """
        before: set[tuple[str, str]] = set()
        while True:
            try:
                work()
                return
            except DamagedArtefact as error:
                damaged = [error]
            except BadImages as bad:
                if not bad.damaged:
                    raise
                damaged = bad.damaged
            for one in damaged:
                if (one.key, one.identity) in before:
                    raise one
                before.add((one.key, one.identity))
                self.progress.note(f"{one.problem} Making it again.")
                self.remake(one)


def reason_of(error: Exception) -> str:
    """A failure in one line."""
    return error.problem if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"


def open_session(zoo: Zoo, store: Store, results: Results, device: str, progress: Progress) -> Session:
    """A session on ``auto|cpu|cuda`` with pinned threads; data loading processes are used with a GPU only."""
    devices.pin()
    picked = devices.pick(device)
    workers = min(8, os.cpu_count() or 1) if picked == "cuda" else 0
    return Session(store, zoo, results, picked, workers, progress)
