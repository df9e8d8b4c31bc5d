"""Read the pixels and the artefacts of an item."""

from __future__ import annotations

from typing import Any

from bench.artefacts import encoding
from bench.artefacts.store import Store
from bench.data import codecs
from bench.data.decode import RGB
from bench.data.protocols import read_source
from bench.detector import Facts
from bench.operations import Encoding, Operation
from bench.recipe import Recipe
from bench.types import Item, Slice


class Reader:
    """Reads images through a slice's protocol, and artefacts from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def source(self, item: Item) -> RGB:
        """The file's pixels: uint8 [H, W, 3]. Raises ImageError."""
        return read_source(item)

    def artefact(self, recipe: Recipe, item: Item) -> Any:  # noqa: ANN401 - images, texts or numbers
        """The decoded artefact of an item. Raises MissingArtefact or DamagedArtefact."""
        return encoding.from_bytes(*self._store.read(recipe, item.image_id))

    def image(self, slice_: Slice, item: Item) -> RGB:
        """The pixels that a method sees for an item of a slice: uint8 [H, W, 3]."""
        return self.rgb(slice_.image, item)

    def rgb(self, source: Recipe | str, item: Item) -> RGB:
        """The image artefact of an item, or its file's pixels if ``source`` is not a recipe: uint8 [H, W, 3]."""
        rgb: RGB = self.artefact(source, item) if isinstance(source, Recipe) else self.source(item)
        return rgb

    def facts(self, slice_: Slice, item: Item) -> Facts:
        """The file facts that a method sees for an item of a slice; after a protocol, those of the stored PNG.

        Container and quality are those of the last encoding that the protocol leaves or makes: ``harmonised`` leaves
        the file's, ``codec_*`` make one or leave the file's, ``aligned`` gives all images the same.
        """
        if not isinstance(slice_.image, Recipe):
            return Facts(item.container, item.quality, item.width, item.height, item.bytes)
        operation = slice_.operations.get(item.row_id)
        width, height = (operation.size,) * 2 if isinstance(operation, Operation) else (item.width, item.height)
        container, quality = _coding(slice_.image.engine, operation, item)
        return Facts(container, quality, width, height, self._store.size(slice_.image, item.image_id))


def _coding(engine: str, operation: Operation | Encoding | None, item: Item) -> tuple[str, int]:
    """Container and JPEG quality of the last encoding of an image after a protocol or perturbation."""
    if engine == "codec" and isinstance(operation, Encoding):
        return codecs.coding(operation) or (item.container, item.quality)
    return (item.container, item.quality) if engine == "harmonised" else ("png", 0)
