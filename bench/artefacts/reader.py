"""Read the pixels and the artefacts of an item."""

from __future__ import annotations

from typing import Any

from bench.artefacts import encoding
from bench.artefacts.store import Store
from bench.data.decode import RGB
from bench.data.protocols import read_source
from bench.detector import Facts
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
        """The decoded artefact that a recipe made of an item."""
        return encoding.from_bytes(*self._store.read(recipe, item.image_id))

    def image(self, part: Slice, item: Item) -> RGB:
        """The pixels that a method is given for an item of a slice."""
        return self.rgb(part.image, item)

    def rgb(self, source: Recipe | str, item: Item) -> RGB:
        """What a recipe made of an item, or its file's pixels where the source is no recipe: uint8 [H, W, 3]."""
        found: RGB = self.artefact(source, item) if isinstance(source, Recipe) else self.source(item)
        return found

    def facts(self, part: Slice, item: Item) -> Facts:
        """The file facts that a method is given; after a protocol those of the stored PNG."""
        if not isinstance(part.image, Recipe):
            return Facts(item.container, item.quality, item.width, item.height, item.bytes)
        cut = part.operations.get(item.row_id)
        width, height = (cut.size, cut.size) if cut else (item.width, item.height)
        return Facts("png", 0, width, height, len(self._store.get(part.image, item.image_id)))
