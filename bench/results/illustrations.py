"""``illustrations.parquet``: small pictures and texts that show what engines made of some test images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from bench.results import shown
from bench.results.folder import Results

#: The kinds of :class:`Illustration`.
IMAGE, PICTURE, TEXT = "image", "picture", "text"
#: Longer side of a picture in pixels, and its quality as WebP.
SIDE, QUALITY = 192, 80


@dataclass(frozen=True)
class Illustration:
    """One test image of a slice, or what an engine made of it, for the page.

    ``kind`` is ``image`` (the image as methods see it), ``picture`` or ``text``. ``data`` is UTF-8 for a text, else a
    WebP image. ``name`` says what it is, and ``methods`` which methods use it; both are empty for an image.
    """

    dataset: str
    subset: str
    protocol: str
    row_id: str
    kind: str
    name: str
    methods: str
    data: bytes


def webp(image: Image.Image) -> bytes:
    """An RGB image as a WebP whose longer side has at most :data:`SIDE` pixels."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()


def write(results: Results, lines: Sequence[Illustration], key: str) -> None:
    """Write all illustrations of a folder; ``key`` is that of the scores that chose the images."""
    shown.write_lines(results.illustrations, Illustration, lines, key)


def read(results: Results) -> list[Illustration]:
    """The illustrations of a folder; none if it has no such file."""
    if not results.illustrations.exists():
        return []
    return [Illustration(*line) for line in zip(*results.table(results.illustrations.name).values(), strict=True)]
