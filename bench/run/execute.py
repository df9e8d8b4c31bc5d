"""One process's hands: make a chunk of artefacts, train a fit, score its cells; a failure becomes a status."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import discover
from bench.detector import STAGES, Detector, Method, Statistic
from bench.errors import BenchError
from bench.kit import network, statistic
from bench.kit.pixels import Pixels
from bench.kit.reference import Reference, permuted, references
from bench.ledger.folder import Results
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.recipe import Recipe, content_key
from bench.recon.batching import chunks, produce
from bench.recon.engine import Engine
from bench.recon.presented import PRESENTED, present
from bench.recon.store import Store, Writer
from bench.run.claims import Claims
from bench.run.estimate import fit_folder, is_fitted
from bench.run.units import Chunk, Methods, Trial, Unit
from bench.types import OK, Cell, Fit, Item, Job, Plan, Scores


@dataclass
class Session:
    """What an execution works with, and what it did: counts, costs, and the reason of every unit that failed."""

    store: Store
    zoo: Zoo
    results: Results
    device: str
    workers: int
    progress: Progress
    meter: Meter = field(default_factory=Meter)
    failed: dict[str, str] = field(default_factory=dict)
    costs: list[tuple[str, str, int, float]] = field(default_factory=list)

    @property
    def bench(self) -> network.Bench:
        """What the kit needs of it."""
        return network.Bench(Pixels(self.store), self.device, self.meter, self.progress, self.workers)

    def attempt(self, key: str, title: str, work: Callable[[], None]) -> bool:
        """Do a unit of work; a failure is told, remembered under ``key`` and stops nothing else."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the one place where a unit's failure becomes a status
            reason = error.asked if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
            self.failed[key] = reason
            self.progress.warn(f"failed: {title}: {reason}")
            return False
        return True


class Hands:
    """Does units of a plan one after another; what was loaded last and the open shard serve the next chunk too."""

    def __init__(self, plan: Plan, methods: Methods, session: Session) -> None:
        self._plan, self._methods, self.session = plan, methods, session
        self.engine, self.put_off = "", False
        self._loaded: Engine | None = None
        self._recipe, self._shard = "", ExitStack()
        self._writer: Writer | None = None
        self._chunks = lru_cache(maxsize=4)(lambda job: chunks(plan.jobs[job]))
        self._claims = Claims(session.progress.note)

    def do(self, unit: Unit, patient: bool = False) -> None:
        """Do a unit; whatever fails is remembered in the session, with its reason.

        ``put_off`` then says that another run on this store is at it; who is ``patient`` asks again after a moment.
        """
        self.put_off = False
        if isinstance(unit, Trial):
            self._do_trial(unit, patient)
        else:
            self.session.attempt(unit.recipe, unit.title, partial(self._do_chunk, unit, patient))

    def _do_chunk(self, unit: Chunk, patient: bool) -> None:
        """Make what no other run on this store has made since this one was planned, or is at."""
        job, store = self._plan.jobs[unit.job], self.session.store
        chunk = self._chunks(unit.job)[unit.number]
        wanted = [item.image_id for item in chunk if item.image_id not in unit.there]
        name = content_key([item.image_id for item in chunk])[:32]
        claim = self._claims.take(store.claim(job.recipe, name), unit.title, patient)
        if claim is None:
            self.put_off = True
            return
        with claim:
            started, left = time.monotonic(), set(store.missing(job.recipe, wanted, anew=True))
            if left:
                self._make(job, chunk, left)
                self.session.costs.append(("artefacts", job.recipe.engine, len(left), time.monotonic() - started))

    def _make(self, job: Job, chunk: Sequence[Item], left: Collection[str]) -> None:
        store = self.session.store
        if job.recipe.engine in PRESENTED:
            payload, records = "png", present(job, chunk, store)
        else:
            engine = self._engine(job.recipe)
            payload, records = engine.payload, produce(job, chunk, engine, Pixels(store))
        fresh = {identity: data for identity, data in records.items() if identity in left}
        try:
            self._shard_of(job.recipe, payload).put(fresh)
        except OSError:
            self._seal()  # What it holds whole stays; the next chunk begins another.
            raise
        self.session.meter.artefacts_made += len(fresh)

    def _do_trial(self, trial: Trial, patient: bool) -> None:
        """Train a trial's fit unless it is there or another run on this store is at it, and score its cells."""
        fit, session = trial.fit, self.session
        method = self._methods[fit.method, fit.variant].method
        path = fit_folder(session.store, fit.key).with_suffix(".claim")
        there = is_fitted(session.store, fit)
        claim = nullcontext() if there else self._claims.take(path, f"fit of {trial.title}", patient)
        if claim is None:
            self.put_off = True
            return
        self.close()  # A detector wants the room.
        with claim:
            if not is_fitted(session.store, fit):
                fit_or_tell(trial, method, self._plan, session)
        with session.progress.stage(f"scores of {trial.title}", len(trial.cells)) as stage:
            for cell in trial.cells:
                _score_or_tell(cell, method, session)
                session.progress.advance(stage)

    def _engine(self, recipe: Recipe) -> Engine:
        if self._loaded is None or self.engine != recipe.engine_key:
            self._loaded, self.engine = None, ""  # Let go of the one before the next takes its room.
            self.session.progress.note(f"loading {recipe.engine}")
            engine = discover.engine(recipe.engine)()
            engine.load(recipe, self.session.zoo, self.session.device, self.session.meter)
            self._loaded, self.engine = engine, recipe.engine_key
        return self._loaded

    def _shard_of(self, recipe: Recipe, payload: str) -> Writer:
        if self._writer is None or self._recipe != recipe.key:
            self._seal()
            self._writer = self._shard.enter_context(self.session.store.writer(recipe, payload))
            self._recipe = recipe.key
        return self._writer

    def _seal(self) -> None:
        self._writer, self._recipe = None, ""
        try:
            self._shard.close()
        except OSError as error:  # Its whole chunks can be read as it is.
            self.session.progress.warn(f"a shard could not be sealed: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Seal the open shard and let go of the engine."""
        self._seal()
        self.engine, self._loaded = "", None


def _hashes(method: Method, zoo: Zoo) -> dict[str, str]:
    roles = {role for stage in STAGES for need in method.needs(stage).values() for role in need.roles()}
    return {role: zoo.hash(role) for role in roles}


def _folders(fit: Fit, zoo: Zoo) -> dict[str, Path]:
    return {role: zoo.folder(role) for role in fit.weights}


def train(trial: Trial, method: Method, plan: Plan, session: Session) -> None:
    """Train one fit to its end and save it."""
    fit = trial.fit
    hashes = _hashes(method, session.zoo)
    refs = references(method, [plan.slices[key] for key in fit.train], hashes, "train")
    val = references(method, [plan.slices[key] for key in fit.val], hashes, "test")
    folder = fit_folder(session.store, fit.key)
    record: dict[str, Any] = {"fit": describe(fit), "train_images": len(refs), "val_images": len(val)}
    if isinstance(method, Statistic):
        found = statistic.values(method, refs, Pixels(session.store), session.progress)
        record["state"] = statistic.fit(found, [ref.label for ref in refs])
        network.save_record(folder, record)
    elif isinstance(method, Detector):
        training = network.Training(method, _folders(fit, session.zoo), fit.seed, folder, session.bench)
        training.resume()
        training.run(refs, val, trial.title)
        record |= {"epochs": training.epoch, "best_val_acc": training.stop.best if training.best else None}
        network.save_model(training.model, folder, record)
    session.meter.fits_trained += 1


def describe(fit: Fit) -> Mapping[str, Any]:
    """A fit as plain JSON, with its key."""
    return {name: value for name, value in vars(fit).items() if name != "key"} | {"key": fit.key}


def score(method: Method, fit: Fit, refs: tuple[Reference, ...], session: Session) -> list[float]:
    """Logits of references by a finished fit."""
    folder = fit_folder(session.store, fit.key)
    if isinstance(method, Statistic):
        state = json.loads((folder / "fit.json").read_text(encoding="utf-8"))["state"]
        return statistic.logits(state, statistic.values(method, refs, Pixels(session.store), session.progress))
    if not isinstance(method, Detector):
        raise TypeError(f"{type(method).__name__} is neither a Detector nor a Statistic.")
    model = network.load_model(method, _folders(fit, session.zoo), folder, session.device)
    return network.predict(method, model, refs, session.bench)


def score_cell(cell: Cell, method: Method, session: Session) -> None:
    """Score one cell and write its per-image scores; quarantined images keep their reason and get no score."""
    refs = references(method, [cell.test], _hashes(method, session.zoo), "test")
    if cell.perturbation == "permuted":
        refs = permuted(refs, cell.fit.seed)
    logits = dict(zip((ref.item.row_id for ref in refs), score(method, cell.fit, refs, session), strict=True))
    items = cell.test.items
    values = tuple(logits.get(item.row_id, float("nan")) for item in items)
    bad = {row for row, value in logits.items() if not np.isfinite(value)}
    if len(bad) == len(logits):
        raise BenchError(
            f"None of the {len(logits)} scores is finite.", "The fit has diverged.", "Lower the learning rate."
        )
    scores = Scores(
        tuple(i.row_id for i in items),
        tuple(i.image_id for i in items),
        tuple(i.label for i in items),
        values,
        tuple("failed" if i.row_id in bad else i.status for i in items),
        tuple("the score is not finite" if i.row_id in bad else i.reason for i in items),
    )
    session.results.write_scores(session.results.scores_path(cell), scores, cell.key)


def write_probes(plan: Plan, session: Session) -> None:
    """Write the values of every probe that the store has whole."""
    pixels = Pixels(session.store)
    for probe in plan.probes:
        path = session.results.probe_path(probe)
        blocked = _blocked(tuple(recipe.key for recipe in probe.recipe.closure()), session)
        if blocked is not None:
            session.failed[probe.key] = blocked
        elif not session.results.has_scores(path, probe.key):
            items = probe.slice.usable
            values = [float(pixels.artefact(probe.recipe, item)) for item in items]
            session.results.write_probe(path, items, values, probe.key)


def _blocked(recipes: tuple[str, ...], session: Session) -> str | None:
    return next((session.failed[key] for key in recipes if key in session.failed), None)


def fit_or_tell(trial: Trial, method: Method, plan: Plan, session: Session) -> None:
    """Train a trial's fit, or remember why not."""
    fit, started = trial.fit, time.monotonic()
    reason = _blocked(fit.recipes, session)
    if reason is not None:
        session.failed[fit.key] = reason
    elif session.attempt(fit.key, f"fit of {trial.title}", partial(train, trial, method, plan, session)):
        images = sum(len(plan.slices[key].usable) for key in fit.train)
        session.costs.append(("fit", fit.label, images, time.monotonic() - started))


def _score_or_tell(cell: Cell, method: Method, session: Session) -> None:
    if cell.fit.key in session.failed:
        session.failed[cell.key] = session.failed[cell.fit.key]
        return
    needs = [cell.test.bound(need) for need in method.needs("test").values()]
    hashes = _hashes(method, session.zoo)
    own = (cell.test.image,) if isinstance(cell.test.image, Recipe) else ()
    keys = tuple(recipe.key for recipe in (*own, *(need.resolve(hashes) for need in needs)))
    reason = _blocked(keys, session)
    if reason is not None:
        session.failed[cell.key] = reason
        return
    started = time.monotonic()
    if session.attempt(cell.key, cell.title, partial(score_cell, cell, method, session)):
        session.costs.append(("score", cell.fit.label, len(cell.test.usable), time.monotonic() - started))


def status_of(cell: Cell, session: Session) -> tuple[str, str]:
    """``ok`` or ``failed`` with the reason."""
    reason = session.failed.get(cell.key)
    return (OK, "") if reason is None else ("failed", reason)
