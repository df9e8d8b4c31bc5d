"""The training images of the models: rendered once, cached on disk, disjoint from all scenes of the detectors."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.miniature.camera import encode_jpeg, photograph
from tools.miniature.scenes import sample_scene
from tools.miniature.wide import picture

Notify = Callable[[str], None]
CHUNK = 500


def _jpeg_photograph(stream: str, index: int, side: int) -> NDArray[np.uint8]:
    scene = sample_scene(stream, index)
    data = encode_jpeg(photograph(scene, side, side), np.random.default_rng([*scene.seed, 3]))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _chunk(stream: str, start: int, side: int) -> NDArray[np.uint8]:
    if stream == "wide":
        return np.stack([picture(side, i) for i in range(start, start + CHUNK)])
    return np.stack([_jpeg_photograph(stream, i, side) for i in range(start, start + CHUNK)])


def photographs(
    folder: Path, stream: str, count: int, side: int = 64, workers: int = 2, say: Notify = lambda _: None
) -> NDArray[np.uint8]:
    """The first ``count`` images of a stream: uint8 [count, side, side, 3].

    Photographs are encoded as JPEG and decoded again; the stream ``wide`` contains the pictures of the wider world.
    Images are rendered in chunks of :data:`CHUNK` that are cached under ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, -(-count // CHUNK) * CHUNK, CHUNK)
    paths = {start: folder / f"{stream}-{side}-{start:06d}.npy" for start in starts}
    missing = [start for start in starts if not paths[start].exists()]
    if missing:
        with ProcessPoolExecutor(workers) as pool:
            made: Iterable[NDArray[np.uint8]] = pool.map(
                _chunk, [stream] * len(missing), missing, [side] * len(missing)
            )
            for done, (start, chunk) in enumerate(zip(missing, made, strict=True), 1):
                partial = paths[start].with_suffix(".part.npy")
                np.save(partial, chunk)
                partial.replace(paths[start])
                say(f"{stream} images: {done * CHUNK} of {len(missing) * CHUNK}")
    return np.concatenate([np.load(paths[start]) for start in starts])[:count]


def captions(stream: str, count: int) -> list[str]:
    """The short captions of the same scenes, in the same order."""
    return [sample_scene(stream, index).caption for index in range(count)]
