"""``illustrations.parquet``: small pictures and texts that show what engines made of some test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import pyarrow as pa

from bench.results.folder import Results, write_table

#: The kinds of :class:`Illustration`.
IMAGE, PICTURE, ERROR, MAP, TEXT = "image", "picture", "error", "map", "text"


@dataclass(frozen=True)
class Illustration:
    """One test image of a slice, or what an engine made of it, for the page.

    ``kind`` is ``image`` (the image as methods see it), ``picture`` (what the engine made), ``error`` (|x − x̂| of that
    picture), ``map`` (of the values of an array) or ``text``. ``data`` is UTF-8 for a text, else a WebP image. ``name``
    is the engine and ``methods`` are the titles of the methods that use it; both are empty for an image.
    """

    dataset: str
    subset: str
    protocol: str
    row_id: str
    kind: str
    name: str
    methods: str
    data: bytes


def write(results: Results, lines: Sequence[Illustration]) -> None:
    """Write all illustrations of a folder; without any, there is no file."""
    if not lines:
        results.illustrations.unlink(missing_ok=True)
        return
    names = [field.name for field in fields(Illustration)]
    columns = dict(zip(names, zip(*(astuple(line) for line in lines), strict=True), strict=True))
    types = dict.fromkeys(names, pa.string()) | {"data": pa.binary()}
    write_table(results.illustrations, {name: pa.array(columns[name], types[name]) for name in names}, "")


def read(results: Results) -> list[Illustration]:
    """The illustrations of a folder; none if it has no such file."""
    if not results.illustrations.exists():
        return []
    return [Illustration(*line) for line in zip(*results.table(results.illustrations.name).values(), strict=True)]
