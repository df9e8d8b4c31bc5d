"""Make the artefacts of a chunk with a loaded engine, and write them into an open shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from bench import discover
from bench.artefacts.batching import GPU_PIXELS, Batcher, produce
from bench.artefacts.presented import PRESENTED, present
from bench.artefacts.store import DamagedArtefact, DiskFull, Writer
from bench.data.files import printable
from bench.errors import BenchError
from bench.execution.salvage import salvage
from bench.execution.session import Session
from bench.numerics import autocast
from bench.planning.chunks import chunks
from bench.recipe import Recipe
from bench.types import Item, Job, Plan

#: A recipe has failed after this number of consecutive chunks without a single artefact.
_MAX_EMPTY_CHUNKS = 2


class Maker:
    """Makes artefacts; keeps the loaded engine and the open shard for the next chunk."""

    def __init__(self, plan: Plan, session: Session) -> None:
        self._plan, self.session = plan, session
        self.engine = ""
        self._loaded: Batcher | None = None
        self._threads = ThreadPoolExecutor(session.workers) if session.workers else None
        self._recipe, self._shard = "", ExitStack()
        self._writer: Writer | None = None
        self._empty_chunks: Counter[str] = Counter()

    def make(self, job: Job, chunk: Sequence[Item], left: Collection[str]) -> None:
        """Make the artefacts of the images in ``left``, by image id; reasons of those that cannot be made are kept.

        Raises BenchError if nothing could be made of several chunks in a row.
        """
        store, recipe, session = self.session.store, job.recipe, self.session
        lost_inputs = self._lost_inputs(job, chunk)
        makeable = [item for item in chunk if item.image_id not in lost_inputs]
        if recipe.engine in PRESENTED:
            payload, (records, lost) = "png", salvage(makeable, lambda items: present(job, items, store))
        else:
            batcher, reader = self._batcher(recipe), self.session.reader
            payload = batcher.engine.payload
            records, lost = (
                salvage(makeable, lambda items: produce(job, items, batcher, reader)) if makeable else ({}, {})
            )
        fresh = {identity: data for identity, data in records.items() if identity in left}
        lost = {identity: reason for identity, reason in (lost_inputs | lost).items() if identity in left}
        session.lost.setdefault(recipe.key, {}).update(lost)
        self._warn_lost(recipe, chunk, lost)
        if records:
            self._empty_chunks[recipe.key] = 0
        if fresh:
            self._put(recipe, payload, fresh)
            session.meter.artefacts_made += len(fresh)
        if not records and len(lost) > 1 and not lost_inputs:
            self._empty_chunks[recipe.key] += 1
            if self._empty_chunks[recipe.key] >= _MAX_EMPTY_CHUNKS:
                raise BenchError(
                    f"No {recipe.engine} artefact can be made: {next(iter(lost.values()))}",
                    f"Every image of {_MAX_EMPTY_CHUNKS} chunks failed.",
                    "Fix the cause and run the same command again.",
                )

    def _lost_inputs(self, job: Job, chunk: Sequence[Item]) -> dict[str, str]:
        """Images of a chunk without one of the recipe's inputs, with the reasons."""
        needed = [value for value in job.recipe.inputs.values() if isinstance(value, Recipe)]
        inputs = [self.session.lost[recipe.key] for recipe in needed if recipe.key in self.session.lost]
        from_ = {item.image_id: job.donor(item).image_id for item in chunk}
        return {i: reasons[donor] for reasons in inputs for i, donor in from_.items() if donor in reasons}

    def _warn_lost(self, recipe: Recipe, chunk: Sequence[Item], lost: dict[str, str]) -> None:
        paths = {item.image_id: item.path for item in chunk}
        for identity, reason in list(lost.items())[:5]:
            self.session.progress.warn(f"quarantined {printable(paths[identity])} for {recipe.engine}: {reason}")
        if len(lost) > 5:
            self.session.progress.warn(f"quarantined {len(lost) - 5} more for {recipe.engine}")

    def _put(self, recipe: Recipe, payload: str, records: dict[str, bytes]) -> None:
        try:
            self._shard_of(recipe, payload).put(records)
        except (OSError, DiskFull):
            self._seal()  # Its complete records are kept; the next chunk opens another shard.
            raise

    def remake(self, error: DamagedArtefact) -> None:
        """Make one damaged artefact again. Raises the error if no job of the plan makes it."""
        self.session.store.forget(error)
        for job in self._plan.jobs:
            if job.recipe.key == error.key:
                for chunk in chunks(job):
                    for item in chunk:
                        if item.image_id == error.identity:
                            self.session.repair(partial(self.make, job, [item], {item.image_id}))
                            if job.recipe.engine in PRESENTED:
                                self._seal()
                            else:
                                self.close()  # Its engine would take memory from what is computed next.
                            return
        raise error

    def _batcher(self, recipe: Recipe) -> Batcher:
        if self._loaded is None or self.engine != recipe.engine_key:
            self._loaded, self.engine = None, ""  # Free the memory of the last engine before loading the next.
            self.session.progress.note(f"loading {recipe.engine}")
            engine = discover.engine(recipe.engine)()
            engine.load(recipe, self.session.zoo, self.session.device, self.session.meter)
            half = self.session.zoo.numerics.half if engine.half else ""
            context = partial(autocast, self.session.device, half)
            pixels = GPU_PIXELS if self.session.device == "cuda" else 0
            warn = self.session.progress.warn
            self._loaded = Batcher(engine, self.session.exact, self._threads, warn, context, pixels)
            self.engine = recipe.engine_key
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
        except OSError as error:  # The complete chunks of an unsealed shard can still be read.
            self.session.progress.warn(f"a shard could not be sealed: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Seal the open shard and unload the engine."""
        self._seal()
        self.engine, self._loaded = "", None
