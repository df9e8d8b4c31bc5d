"""One process's hands: make a chunk of artefacts, or train a fit and score its cells, one unit after another."""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import lru_cache, partial

from bench.recipe import content_key
from bench.recon.batching import chunks
from bench.run.claims import Claims
from bench.run.estimate import fit_folder, is_fitted, waiting
from bench.run.execute import Session, fit_or_tell, healed, score_or_tell
from bench.run.maker import Maker
from bench.run.units import Chunk, Methods, Trial, Unit
from bench.types import Fit, Plan


class Hands:
    """Does units of a plan one after another."""

    def __init__(self, plan: Plan, methods: Methods, session: Session) -> None:
        self._plan, self._methods, self.session = plan, methods, session
        self.put_off, self._maker = False, Maker(plan, session)
        self._chunks = lru_cache(maxsize=4)(lambda job: chunks(plan.jobs[job]))
        self._claims = Claims(session.progress.note)
        session.remake = self._maker.remake

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
                self._maker.make(job, chunk, left)
                self.session.costs.append(("artefacts", job.recipe.engine, len(left), time.monotonic() - started))

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
        """Take away a fit that was trained without images which can be shown now."""
        store = self.session.store
        places = [(key, identity) for key, identity, _ in waiting(store, fit).values()]
        if any(not key or store.has(key, identity) for key, identity in places):
            (fit_folder(store, fit.key) / "fit.json").unlink(missing_ok=True)

    @property
    def engine(self) -> str:
        """Key of the engine that is loaded; empty if none is."""
        return self._maker.engine

    def close(self) -> None:
        """Seal the open shard and let go of the engine."""
        self._maker.close()
