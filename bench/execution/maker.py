"""Make the artefacts of a chunk with a loaded engine, and put them into an open shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from functools import partial

from bench import discover
from bench.artefacts.batching import chunks, produce
from bench.artefacts.engine import Engine
from bench.artefacts.presented import PRESENTED, present
from bench.artefacts.store import DamagedArtefact, Writer
from bench.data.files import printable
from bench.errors import BenchError
from bench.execution.salvage import salvage
from bench.execution.session import Session
from bench.recipe import Recipe
from bench.types import Item, Job, Plan

#: After so many chunks in a row of which nothing could be made, a recipe has failed.
_BARREN = 2


class Maker:
    """Makes artefacts; what was loaded last and the open shard serve the next chunk too."""

    def __init__(self, plan: Plan, session: Session) -> None:
        self._plan, self.session = plan, session
        self.engine = ""
        self._loaded: Engine | None = None
        self._recipe, self._shard = "", ExitStack()
        self._writer: Writer | None = None
        self._barren: Counter[str] = Counter()

    def make(self, job: Job, chunk: Sequence[Item], left: Collection[str]) -> None:
        """Make the artefacts of the images in ``left``; one that cannot be made is lost, with its reason."""
        store, recipe, session = self.session.store, job.recipe, self.session
        gone = self._lost_below(recipe, chunk)
        sound = [item for item in chunk if item.image_id not in gone]
        if recipe.engine in PRESENTED:
            payload, (records, lost) = "png", salvage(sound, lambda some: present(job, some, store))
        else:
            engine, reader = self._engine(recipe), self.session.reader
            payload = engine.payload
            records, lost = salvage(sound, lambda some: produce(job, some, engine, reader)) if sound else ({}, {})
        fresh = {identity: data for identity, data in records.items() if identity in left}
        lost = {identity: reason for identity, reason in (gone | lost).items() if identity in left}
        session.lost.setdefault(recipe.key, {}).update(lost)
        self._tell(recipe, chunk, lost)
        if records:
            self._barren[recipe.key] = 0
        if fresh:
            self._put(recipe, payload, fresh)
            session.meter.artefacts_made += len(fresh)
        if not records and len(lost) > 1 and not gone:
            self._barren[recipe.key] += 1
            if self._barren[recipe.key] >= _BARREN:
                raise BenchError(
                    f"No {recipe.engine} artefact can be made: {next(iter(lost.values()))}",
                    f"Every image of {_BARREN} chunks failed.",
                    "Fix what the reason names; the same command tries again.",
                )

    def _lost_below(self, recipe: Recipe, chunk: Sequence[Item]) -> dict[str, str]:
        """Images of which an artefact that the recipe stands on could not be made."""
        below = [self.session.lost[made.key] for made in recipe.closure()[:-1] if made.key in self.session.lost]
        return {i.image_id: lost[i.image_id] for lost in below for i in chunk if i.image_id in lost}

    def _tell(self, recipe: Recipe, chunk: Sequence[Item], lost: dict[str, str]) -> None:
        paths = {item.image_id: item.path for item in chunk}
        for identity, reason in list(lost.items())[:5]:
            self.session.progress.warn(f"quarantined {printable(paths[identity])} for {recipe.engine}: {reason}")
        if len(lost) > 5:
            self.session.progress.warn(f"quarantined {len(lost) - 5} more for {recipe.engine}")

    def _put(self, recipe: Recipe, payload: str, records: dict[str, bytes]) -> None:
        try:
            self._shard_of(recipe, payload).put(records)
        except OSError:
            self._seal()  # What it holds whole stays; the next chunk begins another.
            raise

    def remake(self, error: DamagedArtefact) -> None:
        """Make one damaged artefact again. Raises the error where no job of the plan makes it."""
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
                                self.close()  # Its engine would stand beside what is computed next.
                            return
        raise error

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
