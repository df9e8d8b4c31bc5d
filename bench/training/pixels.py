"""Decoded images in memory, so that a fit decodes each once and not once per epoch, as far as memory allows."""

from __future__ import annotations

import mmap
import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from bench import device as devices
from bench.artefacts.reader import Reader
from bench.data.decode import RGB
from bench.detector import Facts
from bench.recipe import Recipe
from bench.training.examples import Reference
from bench.types import Item, Slice

#: Key of a recipe, empty for the file's own pixels, and an image id.
Key = tuple[str, str]
#: The share of free memory that is left to others, and how many images are kept before it is looked at again.
_LEFT = 0.25
_OFTEN = 64
#: Pixels that room is made for at least: an artefact may be larger than its image.
_PIXELS = 512 * 512


class Pixels:
    """Images [H, W, 3] by key, in memory that this process shares with those forked from it.

    ``capacity`` is in bytes; what does not fit is not kept. Pages are taken from the machine as they are filled, and
    nothing more is kept once the machine has less than ``least`` bytes free: other fits may fill its memory too.
    """

    def __init__(self, keys: Sequence[Key], capacity: int, least: int = 0) -> None:
        self._slots = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        self._capacity, self._least, self._kept = capacity - capacity % mmap.PAGESIZE, least, 0
        self._memory = np.frombuffer(mmap.mmap(-1, max(self._capacity, mmap.PAGESIZE)), np.uint8)
        size = 24 * max(1, len(self._slots))
        #: Per slot: where its pixels end (0: there are none), height, width.
        self._places = np.frombuffer(mmap.mmap(-1, size), np.int64).reshape(-1, 3)
        self._end = multiprocessing.get_context("fork").Value("q", 0)

    def get(self, key: Key) -> RGB | None:
        """A copy of an image that is kept."""
        slot = self._slots.get(key)
        if slot is None or not self._places[slot, 0]:
            return None
        end, height, width = self._places[slot].tolist()
        return self._memory[end - 3 * height * width : end].reshape(height, width, 3).copy()

    def put(self, key: Key, rgb: NDArray[Any]) -> None:
        """Keep an image if there is room; two processes may keep the same one twice."""
        slot = self._slots.get(key)
        if slot is None or rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            return
        self._kept += 1
        if self._least and self._kept % _OFTEN == 0 and (devices.memory() or 0) < self._least:
            self._capacity = 0  # For this process; the others look for themselves.
        with self._end.get_lock():
            end = self._end.value + rgb.size
            if end > self._capacity:
                return
            self._end.value = end
        self._memory[end - rgb.size : end] = rgb.ravel()
        self._places[slot, 1:] = rgb.shape[:2]
        self._places[slot, 0] = end  # Last: from now on others read it.


class Remembering(Reader):
    """Reads through another reader, and keeps what is an image."""

    def __init__(self, reader: Reader, pixels: Pixels) -> None:
        self._reader, self._pixels = reader, pixels

    def source(self, item: Item) -> RGB:
        """The file's pixels."""
        rgb: RGB = self._kept(("", item.image_id), lambda: self._reader.source(item))
        return rgb

    def artefact(self, recipe: Recipe, item: Item) -> Any:  # noqa: ANN401 - images, texts or numbers
        """The decoded artefact of an item."""
        return self._kept((recipe.key, item.image_id), lambda: self._reader.artefact(recipe, item))

    def facts(self, slice_: Slice, item: Item) -> Facts:
        """The file facts of an item."""
        return self._reader.facts(slice_, item)

    def _kept(self, key: Key, read: Callable[[], Any]) -> Any:  # noqa: ANN401 - images, texts or numbers
        found = self._pixels.get(key)
        if found is not None:
            return found
        value = read()
        if isinstance(value, np.ndarray):
            self._pixels.put(key, value)
        return value


def remembering(reader: Reader, refs: Sequence[Reference], device: str) -> Reader:
    """A reader for a fit on some references that decodes each of their images once, as far as memory allows."""
    free = devices.memory() or 0
    keys = {key: ref.item.width * ref.item.height for ref in refs for key in _keys(ref)}
    needed = 3 * sum(max(pixels, _PIXELS) for pixels in keys.values())
    capacity = int((1 - _LEFT) * free / (1 if device == "cuda" else joblib.cpu_count()))
    try:
        return Remembering(reader, Pixels(list(keys), min(needed, capacity), int(_LEFT * free)))
    except OSError:  # A machine that promises no memory before it is used.
        return reader


def _keys(ref: Reference) -> list[Key]:
    image = ref.part.image.key if isinstance(ref.part.image, Recipe) else ""
    artefacts = [(recipe.key, identity) for recipe in ref.needs.values() for identity in _identities(ref)]
    return [(image, ref.item.image_id), *artefacts]


def _identities(ref: Reference) -> set[str]:
    return {ref.item.image_id, ref.donor.image_id}
