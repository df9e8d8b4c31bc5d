"""Carry out a plan: artefacts, then fits, then scores. What is already there is not done again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
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
from bench.recipe import Recipe
from bench.recon.batching import make, missing_chunks
from bench.recon.presented import PRESENTED, make_presented
from bench.recon.store import Store
from bench.run.request import Chosen
from bench.types import OK, Cell, Fit, Job, Plan, Scores


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


def fit_folder(store: Store, key: str) -> Path:
    """Where a fit's checkpoint lies."""
    return store.root / "fits" / key


def prepare(plan: Plan, session: Session) -> None:
    """Make every missing artefact of a plan; an engine is loaded once for all its slices, and only if needed."""
    by_recipe: dict[str, list[Job]] = {}
    for job in plan.jobs:
        by_recipe.setdefault(job.recipe.key, []).append(job)
    for key, jobs in by_recipe.items():
        todo = [job for job in jobs if missing_chunks(job, session.store)]
        if not todo:
            continue
        recipe = todo[0].recipe
        broken = next((session.failed[r.key] for r in recipe.closure() if r.key in session.failed), None)
        if broken is not None:
            session.failed[key] = broken
            continue
        started = time.monotonic()
        if session.attempt(key, f"{recipe.engine} artefacts", partial(_make, todo, session)):
            images = sum(len(job.slice.usable) for job in todo)
            session.costs.append(("artefacts", recipe.engine, images, time.monotonic() - started))


def _make(jobs: list[Job], session: Session) -> None:
    recipe = jobs[0].recipe
    if recipe.engine in PRESENTED:
        for job in jobs:
            make_presented(job, session.store, session.meter, session.progress)
        return
    engine = discover.engine(recipe.engine)()
    session.progress.note(f"loading {recipe.engine}")
    engine.load(recipe, session.zoo, session.device, session.meter)
    for job in jobs:
        make(job, engine, Pixels(session.store), session.store, session.meter, session.progress)


def _hashes(method: Method, zoo: Zoo) -> dict[str, str]:
    roles = {role for stage in STAGES for need in method.needs(stage).values() for role in need.roles()}
    return {role: zoo.hash(role) for role in roles}


def _folders(fit: Fit, zoo: Zoo) -> dict[str, Path]:
    return {role: zoo.folder(role) for role in fit.weights}


def train(fit: Fit, method: Method, plan: Plan, session: Session) -> None:
    """Train one fit to its end and save it."""
    hashes = _hashes(method, session.zoo)
    refs = references(method, [plan.slices[key] for key in fit.train], hashes, "train")
    val = references(method, [plan.slices[key] for key in fit.val], hashes, "test")
    folder = fit_folder(session.store, fit.key)
    record: dict[str, Any] = {"fit": describe(fit), "train_images": len(refs), "val_images": len(val)}
    if isinstance(method, Statistic):
        found = statistic.values(method, refs, Pixels(session.store), session.progress)
        record["state"] = statistic.fit(found, [ref.label for ref in refs])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "fit.part").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        (folder / "fit.part").replace(folder / "fit.json")
    elif isinstance(method, Detector):
        training = network.Training(method, _folders(fit, session.zoo), fit.seed, folder, session.bench)
        training.resume()
        training.run(refs, val)
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


def fit_and_score(plan: Plan, methods: Mapping[tuple[str, str], Chosen], session: Session) -> None:
    """Train the unfinished fits of a plan and score its unscored cells."""
    for fit in plan.fits:
        if (fit_folder(session.store, fit.key) / "fit.json").exists():
            continue
        reason = _blocked(fit.recipes, session)
        if reason is not None:
            session.failed[fit.key] = reason
            continue
        method, started = methods[fit.method, fit.variant].method, time.monotonic()
        title = f"{fit.label} on {fit.source}, {fit.protocol}, seed {fit.seed}"
        session.progress.note(f"fitting {title}")
        if session.attempt(fit.key, f"fit of {title}", partial(train, fit, method, plan, session)):
            images = sum(len(plan.slices[key].usable) for key in fit.train)
            session.costs.append(("fit", fit.label, images, time.monotonic() - started))
    todo = [cell for cell in plan.cells if not session.results.has_scores(session.results.scores_path(cell), cell.key)]
    with session.progress.stage("scoring cells", len(todo)):
        for cell in todo:
            _score_or_tell(cell, methods[cell.fit.method, cell.fit.variant].method, session)
            session.progress.advance()


def _score_or_tell(cell: Cell, method: Method, session: Session) -> None:
    if cell.fit.key in session.failed:
        session.failed[cell.key] = session.failed[cell.fit.key]
        return
    needs = [need.bind(cell.test.image) for need in method.needs("test").values()]
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
