"""Batches of images of one shape, with noise per image: an artefact does not depend on a run's history.

A chunk is computed and stored as a whole, so an interrupted run ends with the same bytes as an uninterrupted one. With
``threads``, images are read and results encoded by other threads while the network computes.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench import device
from bench.artefacts import encoding
from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.reader import Reader
from bench.recipe import Recipe
from bench.types import Item, Job

T = TypeVar("T")
Viewed = tuple[Request, RGB]
#: How many batches of images are read before they are needed.
_AHEAD = 2
#: On a GPU, the pixels of the images of a batch, 16 of 512 x 512, and the most images: small images leave it idle.
GPU_PIXELS, _MOST = 16 * 512 * 512, 64


def noise(image_id: str, seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal noise of one image, which depends only on (image id, recipe seed, shape), on every device."""
    words = np.frombuffer(hashlib.sha256(f"{image_id} {seed}".encode()).digest(), np.uint32)
    return np.random.default_rng(words).standard_normal(shape, dtype=np.float32)


def _ahead(tasks: Iterable[Callable[[], T]], count: int, threads: Executor | None) -> Iterator[T]:
    """The results of tasks in order; with ``threads``, ``count`` of them are begun before they are needed."""
    if threads is None:
        yield from (task() for task in tasks)
        return
    begun: deque[Future[T]] = deque()
    for task in tasks:
        begun.append(threads.submit(task))
        if len(begun) > count:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def _parts(images: Sequence[Viewed], size: int, exact: bool) -> Iterator[Sequence[Viewed]]:
    """Images in batches of ``size``; unless ``exact``, the rest in ever smaller powers of two: few sizes in all."""
    start = 0
    while start < len(images):
        left = len(images) - start
        while size > left and not exact:
            size = 1 << (size - 1).bit_length() - 1
        yield images[start : start + size]
        start += size


class Batcher:
    """Runs a loaded engine on images in batches of one shape.

    A batch has the engine's number of images, or more if it has up to ``pixels`` pixels then. With ``exact``, every
    batch of a shape has that size, and incomplete ones are padded with copies of their last image: the last bits of an
    artefact depend on the size of its batch. Otherwise what is left over runs in smaller batches. A batch that does not
    fit into memory is halved, and so are all later ones of its shape: ``largest`` has the sizes that do fit. ``note``
    receives a line when that happens. The engine runs in ``context``.
    """

    def __init__(
        self,
        engine: Engine,
        exact: bool = True,
        threads: Executor | None = None,
        note: Callable[[str], None] = lambda message: None,
        context: Callable[[], AbstractContextManager[None]] = nullcontext,
        pixels: int = 0,
    ) -> None:
        self.engine, self._exact, self._context, self._pixels = engine, exact, context, pixels
        self.largest: dict[tuple[int, ...], int] = {}
        self._threads, self._note = threads, note

    def make(self, requests: Iterable[Callable[[], Request]]) -> dict[str, bytes]:
        """The encoded artefacts by image id, of requests that are read when they are needed."""
        engine = self.engine
        made: dict[str, Future[bytes] | bytes] = {}
        incomplete: dict[tuple[int, ...], list[Viewed]] = {}
        tasks = (partial(_view, engine, request) for request in requests)
        largest = max(engine.batch, _MOST) if self._pixels else engine.batch
        for request, view in _ahead(tasks, _AHEAD * largest, self._threads):
            images = incomplete.setdefault(view.shape, [])
            images.append((request, view))
            if len(images) == self._batch(view.shape):
                self._run(incomplete.pop(view.shape), made)
        for shape in sorted(incomplete):
            self._run(incomplete[shape], made)
        return {i: data.result() if isinstance(data, Future) else data for i, data in sorted(made.items())}

    def _batch(self, shape: tuple[int, ...]) -> int:
        """Images of a shape [H, W, …] in a batch: the engine's number, or a larger power of two."""
        fitting = self._pixels // max(1, shape[0] * shape[1])
        return max(self.engine.batch, min(_MOST, 1 << fitting.bit_length() >> 1))

    def _run(self, images: Sequence[Viewed], made: dict[str, Future[bytes] | bytes]) -> None:
        """Run the engine on images of one shape, and begin to encode its results."""
        shape = images[0][1].shape
        size = self.largest.get(shape, self._batch(shape))
        done = 0
        for part in _parts(images, size, self._exact):
            padded = [*part, *[part[-1]] * (size - len(part) if self._exact else 0)]
            requests, views = [request for request, _ in padded], [view for _, view in padded]
            try:
                with self._context():
                    outputs = self.engine.run(requests, views)
            except (RuntimeError, MemoryError) as error:
                if len(padded) == 1 or not device.is_out_of_memory(error):
                    raise
                outputs = None
            if outputs is None:  # Outside the handler, which would keep the failed batch's tensors in memory.
                self._shrink(shape, len(padded))
                self._run(images[done:], made)
                return
            done += len(part)
            for request, output in zip(requests[: len(part)], outputs, strict=False):
                made[request.image_id] = self._encoded(output)

    def _shrink(self, shape: tuple[int, ...], failed: int) -> None:
        device.release_memory()
        self.largest[shape] = failed // 2
        size = f"{shape[1]} x {shape[0]}"
        self._note(f"{failed} images of {size} do not fit into memory for {self.engine.name}: {failed // 2} at a time")

    def _encoded(self, output: Any) -> Future[bytes] | bytes:  # noqa: ANN401 - an image, a text, a number or an array
        payload = self.engine.payload
        if self._threads is None:
            return encoding.to_bytes(payload, output)
        return self._threads.submit(encoding.to_bytes, payload, output)


def _view(engine: Engine, request: Callable[[], Request]) -> Viewed:
    read = request()
    return read, engine.view(read)


def make_chunk(engine: Engine, requests: Sequence[Request]) -> dict[str, bytes]:
    """The encoded artefacts of one chunk of images that are in memory, by image id."""
    ordered = sorted(requests, key=lambda request: request.image_id)
    return Batcher(engine).make(partial(_same, request) for request in ordered)


def _same(request: Request) -> Request:
    return request


def produce(job: Job, chunk: Sequence[Item], batcher: Batcher, reader: Reader) -> dict[str, bytes]:
    """The artefacts of one chunk of a job. The engine is loaded, and the artefacts that it needs are in the store."""
    return batcher.make(partial(_request, item, job, reader) for item in chunk)


def _request(item: Item, job: Job, reader: Reader) -> Request:
    inputs = {
        name: reader.artefact(recipe, job.donor(item))
        for name, recipe in job.recipe.inputs.items()
        if name != "image" and isinstance(recipe, Recipe)
    }
    return Request(item.image_id, reader.rgb(job.recipe.inputs["image"], item), inputs, item.class_name)
