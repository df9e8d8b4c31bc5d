"""Batching with fixed chunks, fixed batch shapes and per-image noise; no artefact depends on a run's history.

Chunks depend only on the recipe and the slice's sorted images. A chunk is computed and stored as a whole, so an
interrupted run ends with the same bytes as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from bench.artefacts import encoding
from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.reader import Reader
from bench.artefacts.store import Store
from bench.recipe import Recipe
from bench.types import Item, Job

CHUNK = 64


def noise(image_id: str, seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal noise of one image, which depends only on (image id, recipe seed, shape), on every device."""
    words = np.frombuffer(hashlib.sha256(f"{image_id} {seed}".encode()).digest(), np.uint32)
    return np.random.default_rng(words).standard_normal(shape, dtype=np.float32)


def chunks(job: Job) -> list[list[Item]]:
    """The slice's distinct readable images, sorted by size and id, in groups of at most :data:`CHUNK`."""
    distinct = {item.image_id: item for item in reversed(job.slice.usable)}
    ordered = sorted(distinct.values(), key=lambda item: (item.width, item.height, item.image_id))
    return [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]


def missing_chunks(job: Job, store: Store, claimed: set[str]) -> list[tuple[int, frozenset[str]]]:
    """The number of every chunk with missing artefacts, and the ids of its images whose artefacts are not missing.

    Images in ``claimed`` are made by other units of the same recipe and do not count as missing; this job's missing
    images are added to it. A chunk is always computed as a whole, so that its batches never change, and only the
    missing artefacts are kept.
    """
    incomplete = []
    for number, chunk in enumerate(chunks(job)):
        identities = {item.image_id for item in chunk}
        missing = set(store.missing(job.recipe, identities)) - claimed
        if missing:
            incomplete.append((number, frozenset(identities - missing)))
            claimed |= missing
    return incomplete


def _batches(engine: Engine, requests: Sequence[Request]) -> Iterator[tuple[list[Request], list[RGB]]]:
    views = [(request, engine.view(request)) for request in requests]
    views.sort(key=lambda pair: (pair[1].shape, pair[0].image_id))
    for _, group in groupby(views, key=lambda pair: pair[1].shape):
        members = list(group)
        for start in range(0, len(members), engine.batch):
            batch = members[start : start + engine.batch]
            yield [request for request, _ in batch], [view for _, view in batch]


def make_chunk(engine: Engine, requests: Sequence[Request]) -> dict[str, bytes]:
    """The encoded artefacts of one chunk by image id; incomplete batches are padded with copies of their last image."""
    made: dict[str, bytes] = {}
    for batch, views in _batches(engine, requests):
        padding = engine.batch - len(batch)
        outputs = engine.run([*batch, *[batch[-1]] * padding], [*views, *[views[-1]] * padding])
        made |= {r.image_id: encoding.to_bytes(engine.payload, out) for r, out in zip(batch, outputs, strict=False)}
    return {identity: made[identity] for identity in sorted(made)}


def produce(job: Job, chunk: Sequence[Item], engine: Engine, reader: Reader) -> dict[str, bytes]:
    """The artefacts of one chunk of a job. ``engine`` is loaded, and the artefacts that it needs are in the store."""
    return make_chunk(engine, [_request(item, job, reader) for item in chunk])


def _request(item: Item, job: Job, reader: Reader) -> Request:
    inputs = {
        name: reader.artefact(recipe, item)
        for name, recipe in job.recipe.inputs.items()
        if name != "image" and isinstance(recipe, Recipe)
    }
    return Request(item.image_id, reader.rgb(job.recipe.inputs["image"], item), inputs, item.class_name)
