"""Run one unit of a plan in this process: make a chunk of artefacts, or train a fit and score its cells."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import lru_cache, partial

from bench.execution.fitting import fit_or_record, score_or_record
from bench.execution.locks import Locks
from bench.execution.maker import Maker
from bench.execution.session import Session
from bench.planning.chunks import chunks
from bench.planning.estimate import forwards
from bench.planning.units import Chunk, Methods, Trial, Unit
from bench.recipe import content_key
from bench.training.fits import fit_folder, is_fitted, waiting
from bench.types import Fit, Item, Plan


class UnitRunner:
    """Runs units of a plan one after another; keeps the loaded engine for the next chunk."""

    def __init__(self, plan: Plan, methods: Methods, session: Session) -> None:
        self._plan, self._methods, self.session = plan, methods, session
        self._maker = Maker(plan, session)
        self._chunks = lru_cache(maxsize=4)(lambda job: chunks(plan.jobs[job]))
        self._locks = Locks(session.progress.note)
        session.remake = self._maker.remake

    def run(self, unit: Unit, wait: bool = False) -> bool:
        """Run a unit. False if another run on this store is busy with it; with ``wait``, half a second later.

        A failure is kept in the session with its reason, and counts as done.
        """
        if isinstance(unit, Trial):
            return self._run_trial(unit, wait)
        done = True

        def work() -> None:
            nonlocal done
            done = self._run_chunk(unit, wait)

        self.session.attempt(unit.recipe, unit.title, partial(self.session.repair, work))
        return done

    def _run_chunk(self, unit: Chunk, wait: bool) -> bool:
        """Make what is still missing of a chunk; False if another run is busy with it."""
        job, store = self._plan.jobs[unit.job], self.session.store
        chunk: Sequence[Item] = self._chunks(unit.job)[unit.number]
        if unit.alone:
            chunk = [item for item in chunk if item.image_id in unit.wanted]
        name = content_key([item.image_id for item in chunk])
        lock = self._locks.acquire(store.lock_path(job.recipe, name), unit.title, wait)
        if lock is None:
            return False
        with lock:
            started, missing = time.monotonic(), set(store.missing(job.recipe, unit.wanted, refresh=True))
            if missing:
                self._maker.make(job, chunk, missing)
                units = len(missing) * max(1, forwards(job.recipe))
                self.session.costs.append(("artefacts", job.recipe.engine, units, time.monotonic() - started))
        return True

    def _run_trial(self, trial: Trial, wait: bool) -> bool:
        """Train a fit unless it is finished, and score its cells; False if another run is training it."""
        fit, session = trial.fit, self.session
        method = self._methods[fit.method, fit.variant].method
        path = fit_folder(session.store, fit.key).with_suffix(".lock")
        finished = is_fitted(session.store, fit) and not self._is_outdated(fit)
        lock = nullcontext() if finished else self._locks.acquire(path, f"fit of {trial.title}", wait)
        if lock is None:
            return False
        self.close()  # Free memory for the detector.
        with lock:
            if self._is_outdated(fit):
                (fit_folder(session.store, fit.key) / "fit.json").unlink(missing_ok=True)
            if not is_fitted(session.store, fit):
                fit_or_record(trial, method, self._plan, session)
        try:
            with session.progress.stage(f"scores of {trial.title}", len(trial.cells)) as stage:
                for cell in trial.cells:
                    score_or_record(cell, method, session)
                    session.progress.advance(stage)
        finally:
            session.forget_model()
        return True

    def _is_outdated(self, fit: Fit) -> bool:
        """Whether a finished fit was trained without images whose artefacts exist by now."""
        store = self.session.store
        missing = [(key, identity) for key, identity, _ in waiting(store, fit).values()]
        return any(not key or store.has(key, identity) for key, identity in missing)

    @property
    def engine(self) -> str:
        """Key of the loaded engine; empty if none is loaded."""
        return self._maker.engine

    def close(self) -> None:
        """Seal the open shard and unload the engine."""
        self._maker.close()
