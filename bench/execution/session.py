"""The session of one process: what it executes with, and what it has done so far. Importing this imports torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import device as devices
from bench.artefacts.reader import Reader
from bench.artefacts.store import DamagedArtefact, DiskFull, Store
from bench.errors import BenchError
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.results.folder import Results
from bench.training.faults import BadImages
from bench.training.loader import Runtime

if TYPE_CHECKING:
    from torch import nn


def _cannot_remake(error: DamagedArtefact) -> None:
    raise error


@dataclass
class Session:
    """Where an execution reads and writes, and its counts, costs and failures.

    ``workers`` is the number of data loading processes. ``failed`` maps the key of every unit that failed to the
    reason; ``lost`` gives the reason why an artefact could not be made, by recipe key and image id. ``costs`` are
    (kind, name, units, seconds), see :class:`~bench.planning.estimate.Rates`. ``exact``: results must not depend on the
    number of images, see :class:`~bench.training.loader.Runtime`. ``remake`` makes one damaged artefact again.
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
    _model: tuple[str, nn.Module] | None = None

    @property
    def reader(self) -> Reader:
        """Reads images and artefacts of this session's store."""
        return Reader(self.store)

    @property
    def runtime(self) -> Runtime:
        """The part of this session that training and prediction use."""
        work = (self.reader, self.device, self.meter, self.progress, self.workers, self.lost)
        numerics = self.zoo.numerics
        return Runtime(*work, exact=self.exact, half=numerics.half, micro_batch=numerics.micro_batch)

    def model(self, key: str, load: Callable[[], nn.Module]) -> nn.Module:
        """The network of the fit with that key; it is kept for the next cell of the fit, see :meth:`forget_model`."""
        if self._model is None or self._model[0] != key:
            self._model = None  # Free its memory before loading the next.
            self._model = key, load()
        return self._model[1]

    def blocked(self, recipes: tuple[str, ...]) -> str | None:
        """The reason of the first of some recipes, by key, that has failed; None if none has."""
        return next((self.failed[key] for key in recipes if key in self.failed), None)

    def forget_model(self) -> None:
        """Free the memory of the network that is kept."""
        self._model = None

    def attempt(self, key: str, title: str, work: Callable[[], None]) -> bool:
        """Do a unit of work and return whether it succeeded. A failure, stored under ``key``, stops nothing else.

        Raises DiskFull, which stops the run.
        """
        try:
            work()
        except DiskFull:
            raise  # Every other unit would fail too.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the one place where a unit's failure becomes a status
            reason = reason_of(error)
            self.failed[key] = reason
            self.progress.warn(f"failed: {title}: {reason}")
            return False
        return True

    def repair(self, work: Callable[[], None]) -> None:
        """Do a piece of work. If it finds damaged artefacts, they are made again and the work is repeated.

        Raises DamagedArtefact for an artefact that is damaged a second time.
        """
        remade: set[tuple[str, str]] = set()
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
            for artefact in damaged:
                if (artefact.key, artefact.identity) in remade:
                    raise artefact
                remade.add((artefact.key, artefact.identity))
                self.progress.note(f"{artefact.problem} Making it again.")
                self.remake(artefact)


def reason_of(error: BaseException) -> str:
    """A failure in one line."""
    text = error.problem if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def open_session(zoo: Zoo, store: Store, results: Results, device: str, progress: Progress) -> Session:
    """A session on ``auto|cpu|cuda`` with a fixed number of threads; data loading processes are used on a GPU only."""
    picked = devices.pick(device)
    devices.pin(zoo.numerics.precision, zoo.numerics.exact, picked)
    workers = min(8, os.cpu_count() or 1) if picked == "cuda" else 0
    return Session(store, zoo, results, picked, workers, progress, exact=zoo.numerics.exact)


@dataclass(frozen=True)
class Place:
    """What a process needs to open a session like that of its parent."""

    zoo: Zoo
    store: Path
    results: Path
    device: str
    workers: int = 0

    @classmethod
    def of(cls, session: Session, workers: int = 0) -> Place:
        """The place of a session, with another number of data loading processes."""
        return cls(session.zoo, session.store.root, session.results.root, session.device, workers)

    def session(self, progress: Progress) -> Session:
        """A new session on the same store and results folder."""
        places = (Store(self.store), self.zoo, Results(self.results))
        return Session(*places, self.device, self.workers, progress, exact=self.zoo.numerics.exact)
