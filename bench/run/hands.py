"""One process's hands: make a chunk of artefacts, or train a fit and score its cells, one unit after another."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack, nullcontext
from functools import lru_cache, partial

from bench import discover
from bench.errors import BenchError
from bench.kit.pixels import Pixels
from bench.recipe import Recipe, content_key
from bench.recon.batching import chunks, produce
from bench.recon.engine import Engine
from bench.recon.presented import PRESENTED, present
from bench.recon.store import DamagedArtefact, Writer
from bench.run.claims import Claims
from bench.run.estimate import fit_folder, is_fitted, left_out
from bench.run.execute import Session, fit_or_tell, healed, score_or_tell
from bench.run.salvage import salvage
from bench.run.units import Chunk, Methods, Trial, Unit
from bench.types import Fit, Item, Job, Plan

#: After so many chunks in a row of which nothing could be made, a recipe has failed.
_BARREN = 2


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
        self._barren: Counter[str] = Counter()
        session.remake = self._remake

    def do(self, unit: Unit, patient: bool = False) -> None:
        """Do a unit; whatever fails is remembered in the session, with its reason.

        ``put_off`` then says that another run on this store is at it; who is ``patient`` asks again after a moment.
        """
        self.put_off = False
        if isinstance(unit, Trial):
            self._do_trial(unit, patient)
        else:
            work = partial(healed, partial(self._do_chunk, unit, patient), self.session)
            self.session.attempt(unit.recipe, unit.title, work)

    def _do_chunk(self, unit: Chunk, patient: bool) -> None:
        """Make what no other run on this store has made since this one was planned, or is at."""
        job, store = self._plan.jobs[unit.job], self.session.store
        chunk = self._chunks(unit.job)[unit.number]
        if unit.alone:
            chunk = [item for item in chunk if item.image_id in unit.wanted]
        name = content_key([item.image_id for item in chunk])[:32]
        claim = self._claims.take(store.claim(job.recipe, name), unit.title, patient)
        if claim is None:
            self.put_off = True
            return
        with claim:
            started, left = time.monotonic(), set(store.missing(job.recipe, unit.wanted, anew=True))
            if left:
                self._make(job, chunk, left)
                self.session.costs.append(("artefacts", job.recipe.engine, len(left), time.monotonic() - started))

    def _make(self, job: Job, chunk: Sequence[Item], left: Collection[str]) -> None:
        """Make the artefacts of the images in ``left``; one that cannot be made is lost, with its reason."""
        store, recipe, session = self.session.store, job.recipe, self.session
        gone = self._lost_below(recipe, chunk)
        sound = [item for item in chunk if item.image_id not in gone]
        if recipe.engine in PRESENTED:
            payload, (records, lost) = "png", salvage(sound, lambda some: present(job, some, store))
        else:
            engine, pixels = self._engine(recipe), Pixels(store)
            payload = engine.payload
            records, lost = salvage(sound, lambda some: produce(job, some, engine, pixels)) if sound else ({}, {})
        fresh = {identity: data for identity, data in records.items() if identity in left}
        lost = {identity: reason for identity, reason in (gone | lost).items() if identity in left}
        session.lost.setdefault(recipe.key, {}).update(lost)
        self._tell(recipe, chunk, lost)
        if fresh:
            self._put(recipe, payload, fresh)
            self._barren[recipe.key] = 0
            session.meter.artefacts_made += len(fresh)
        elif len(lost) > 1 and not gone:
            self._barren[recipe.key] += 1
            if self._barren[recipe.key] >= _BARREN:
                raise BenchError(
                    f"No {recipe.engine} artefact can be made: {next(iter(lost.values()))}",
                    f"Every image of {_BARREN} chunks failed.",
                    "See the reason.",
                )

    def _lost_below(self, recipe: Recipe, chunk: Sequence[Item]) -> dict[str, str]:
        """Images of which an artefact that the recipe stands on could not be made."""
        below = [self.session.lost[made.key] for made in recipe.closure()[:-1] if made.key in self.session.lost]
        return {i.image_id: lost[i.image_id] for lost in below for i in chunk if i.image_id in lost}

    def _tell(self, recipe: Recipe, chunk: Sequence[Item], lost: dict[str, str]) -> None:
        paths = {item.image_id: item.path for item in chunk}
        for identity, reason in list(lost.items())[:5]:
            self.session.progress.warn(f"quarantined {paths[identity]} for {recipe.engine}: {reason}")
        if len(lost) > 5:
            self.session.progress.warn(f"quarantined {len(lost) - 5} more for {recipe.engine}")

    def _put(self, recipe: Recipe, payload: str, records: dict[str, bytes]) -> None:
        try:
            self._shard_of(recipe, payload).put(records)
        except OSError:
            self._seal()  # What it holds whole stays; the next chunk begins another.
            raise

    def _remake(self, error: DamagedArtefact) -> None:
        """Make one damaged artefact again. Raises the error where no job of the plan makes it."""
        for job in self._plan.jobs:
            if job.recipe.key == error.key:
                for chunk in chunks(job):
                    for item in chunk:
                        if item.image_id == error.identity:
                            healed(partial(self._make, job, [item], {item.image_id}), self.session)
                            self._seal()
                            return
        raise error

    def _do_trial(self, trial: Trial, patient: bool) -> None:
        """Train a trial's fit unless it is there or another run on this store is at it, and score its cells."""
        fit, session = trial.fit, self.session
        method = self._methods[fit.method, fit.variant].method
        path = fit_folder(session.store, fit.key).with_suffix(".claim")
        self._forget_partial(fit)
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
                score_or_tell(cell, method, session)
                session.progress.advance(stage)

    def _forget_partial(self, fit: Fit) -> None:
        """Take away a fit that was trained without images whose artefacts have been made since, and its scores."""
        out, store = left_out(self.session.store, fit), self.session.store
        if not out:
            return
        items = {i.row_id: i for key in (*fit.train, *fit.val) for i in self._plan.slices[key].usable}
        recipes = [job.recipe for job in self._plan.jobs if job.recipe.key in fit.recipes]
        found = [items[row] for row in out if row in items]
        if any(not store.missing(recipe, [item.image_id]) for item in found for recipe in recipes):
            (fit_folder(store, fit.key) / "fit.json").unlink(missing_ok=True)
            shutil.rmtree(self.session.results.root / "scores" / fit.label / fit.key, ignore_errors=True)

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
