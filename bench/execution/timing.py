"""Measure what a probe's artefacts cost: seconds per image in one process, with the networks loaded before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bench import discover
from bench.artefacts import encoding
from bench.artefacts.batching import GPU_PIXELS, Batcher
from bench.artefacts.engine import RGB, Request
from bench.artefacts.presented import PRESENTED
from bench.errors import BenchError
from bench.execution.session import Session
from bench.numerics import autocast
from bench.progress import Meter
from bench.recipe import Recipe
from bench.results.shown import Time
from bench.types import Item, Probe

#: How often the images are run through each network after a first time that does not count.
REPEATS = 5


def measure(probe: Probe, session: Session) -> list[Time]:
    """The times of a probe's artefacts, one line per repetition; a caption's are added to those of what it guides.

    Images are decoded before. Loading networks, and reading from and writing to the store, do not count. Batches are
    not filled up. Raises BenchError if an image that it needs is missing.
    """
    items = {item.image_id: item for item in probe.slice.usable}
    if not items:
        raise BenchError(f"{probe.slice.name} has no image.", "Time is measured on images.", "Add images.")
    pictures = {identity: session.reader.image(probe.slice, item) for identity, item in items.items()}
    made: dict[str, dict[str, Any]] = {}
    seconds, forwards = [0.0] * REPEATS, 0
    for recipe in probe.recipe.closure():
        if recipe.engine in PRESENTED:
            continue
        engine = discover.engine(recipe.engine)()
        engine.load(recipe, session.zoo, session.device, Meter())
        half = session.zoo.numerics.half if engine.half else ""
        context, pixels = partial(autocast, session.device, half), GPU_PIXELS if session.device == "cuda" else 0
        batcher = Batcher(engine, False, None, session.progress.warn, context, pixels)
        requests = [partial(_request, items[i], rgb, recipe, made) for i, rgb in pictures.items()]
        outputs, times = _timed(batcher, requests)
        made[recipe.key] = {i: encoding.from_bytes(engine.payload, data) for i, data in outputs.items()}
        seconds = [before + after / len(items) for before, after in zip(seconds, times, strict=True)]
        forwards += engine.forwards(recipe)
    return [Time(number, len(items), forwards, value) for number, value in enumerate(seconds)]


def _timed(batcher: Batcher, requests: Sequence[Callable[[], Request]]) -> tuple[dict[str, bytes], list[float]]:
    """The artefacts, and the seconds of every repetition."""
    outputs, times = batcher.make(requests), []
    for _ in range(REPEATS):
        started = time.perf_counter()
        batcher.make(requests)
        times.append(time.perf_counter() - started)
    return outputs, times


def _request(item: Item, rgb: RGB, recipe: Recipe, made: Mapping[str, Mapping[str, Any]]) -> Request:
    inputs = {
        name: made[value.key][item.image_id]
        for name, value in recipe.inputs.items()
        if name != "image" and isinstance(value, Recipe)
    }
    return Request(item.image_id, rgb, inputs, item.class_name)
