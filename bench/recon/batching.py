"""The batching core: fixed chunks, fixed batch shapes, per-image noise; no artefact depends on a run's history.

Chunks are a function of the recipe and the slice's sorted images alone. A chunk is made whole and put whole, so a run
that was interrupted anywhere ends with the same bytes as one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from bench.kit import payload
from bench.kit.pixels import Pixels
from bench.progress import Meter, Progress
from bench.recipe import Recipe
from bench.recon.engine import RGB, Engine, Request
from bench.recon.store import Store
from bench.types import Item, Job

CHUNK = 64


def noise(image_id: str, seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal noise of one image: a function of (image id, recipe seed, shape) alone, on every device."""
    words = np.frombuffer(hashlib.sha256(f"{image_id} {seed}".encode()).digest(), np.uint32)
    return np.random.default_rng(words).standard_normal(shape, dtype=np.float32)


def chunks(job: Job) -> list[list[Item]]:
    """The slice's distinct readable images in runs of :data:`CHUNK`, equal sizes together."""
    distinct = {item.image_id: item for item in reversed(job.slice.usable)}
    ordered = sorted(distinct.values(), key=lambda item: (item.width, item.height, item.image_id))
    return [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]


def missing_chunks(job: Job, store: Store) -> list[list[Item]]:
    """The chunks of which at least one artefact is missing."""
    return [chunk for chunk in chunks(job) if store.missing(job.recipe, [item.image_id for item in chunk])]


def _batches(engine: Engine, requests: Sequence[Request]) -> Iterator[tuple[list[Request], list[RGB]]]:
    views = [(request, engine.view(request)) for request in requests]
    views.sort(key=lambda pair: (pair[1].shape, pair[0].image_id))
    for _, group in groupby(views, key=lambda pair: pair[1].shape):
        members = list(group)
        for start in range(0, len(members), engine.batch):
            part = members[start : start + engine.batch]
            yield [request for request, _ in part], [view for _, view in part]


def make_chunk(engine: Engine, requests: Sequence[Request]) -> dict[str, bytes]:
    """The artefacts of one chunk by image id, encoded; the last batch is filled up with repeats of its last image."""
    made: dict[str, bytes] = {}
    for batch, views in _batches(engine, requests):
        spare = engine.batch - len(batch)
        outputs = engine.run([*batch, *[batch[-1]] * spare], [*views, *[views[-1]] * spare])
        made |= {r.image_id: payload.to_bytes(engine.payload, out) for r, out in zip(batch, outputs, strict=False)}
    return {identity: made[identity] for identity in sorted(made)}


def make(job: Job, engine: Engine, pixels: Pixels, store: Store, meter: Meter, progress: Progress) -> None:
    """Make what a job lacks. ``engine`` is loaded; the recipes that the job's recipe stands on are in the store."""
    todo = missing_chunks(job, store)
    if not todo:
        return
    title = f"{job.recipe.engine} for {job.slice.name}@{job.slice.protocol}"
    with progress.stage(title, sum(map(len, todo))), store.writer(job.recipe, engine.payload) as writer:
        for chunk in todo:
            requests = [_request(item, job, pixels) for item in chunk]
            records = make_chunk(engine, requests)
            writer.put(records)
            meter.artefacts_made += len(records)
            progress.advance(len(chunk))


def _request(item: Item, job: Job, pixels: Pixels) -> Request:
    inputs = {
        name: pixels.artefact(recipe, item)
        for name, recipe in job.recipe.inputs.items()
        if name != "image" and isinstance(recipe, Recipe)
    }
    return Request(item.image_id, pixels.pixels(job.recipe.inputs["image"], item), inputs)
