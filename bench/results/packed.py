"""The per-image values of a whole results folder in two files, small enough to commit.

``slices.parquet`` lists the images of every slice once: by their rows in ``images.parquet`` (``place``) where that file
has them all, else by their ids. ``scores.parquet`` has one row per cell or probe: the file that
it replaces, its slice, its numbers, and the images whose status is not ``ok``. A packed folder is read like one with
these files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.types import OK

Table = Mapping[str, list[Any]]
_IDS = ("row_id", "image_id")
_IMAGES = pa.schema(
    [
        ("row_id", pa.list_(pa.binary(16))),
        ("image_id", pa.list_(pa.binary(16))),
        ("label", pa.list_(pa.int8())),
        ("place", pa.list_(pa.int32())),
    ]
)
_COLUMNS = (*_IDS, "label")
#: Bits of a published logit's significand that are stored; float32 has 23.
_BITS = 14
_SCORES = pa.schema(
    [
        ("file", pa.string()),
        ("slice", pa.int32()),
        ("logit", pa.list_(pa.float32())),
        ("value", pa.list_(pa.float64())),
        ("bad", pa.list_(pa.struct([("place", pa.int32()), ("status", pa.string()), ("reason", pa.string())]))),
    ]
)


def _bytes(ids: Iterable[str]) -> list[bytes | None]:
    return [bytes.fromhex(identity) if identity else None for identity in ids]


def _hex(ids: Iterable[bytes | None]) -> list[str]:
    return ["" if identity is None else identity.hex() for identity in ids]


def rounded(logits: Iterable[float]) -> list[float]:
    """Logits as they are published: to the nearest float with 14 bits after the leading one, ties away from zero.

    The relative error is at most 2⁻¹⁵, the sign stays, and NaN and infinity too. The bits that are zero take no space.
    """
    words = np.asarray(list(logits), np.float32).view(np.uint32)
    spare = np.uint32(23 - _BITS)
    near = (words + (np.uint32(1) << (spare - np.uint32(1)))) >> spare << spare
    found = near.view(np.float32)
    return [float(one) for one in np.where(np.isfinite(found), found, words.view(np.float32))]


def pack(root: Path, tables: Mapping[str, Table]) -> None:
    """Pack tables of scores and probe values, by the file that each replaces, into the folder ``root``."""
    slices: dict[tuple[Any, ...], int] = {}
    lines = []
    for name in sorted(tables):
        table = tables[name]
        members = tuple(tuple(table[column]) for column in _COLUMNS)
        status = table.get("status", [])
        bad = [
            {"place": index, "status": value, "reason": table["reason"][index]}
            for index, value in enumerate(status)
            if value != OK
        ]
        numbers = {column: table.get(column) for column in ("logit", "value")}
        lines.append({"file": name, "slice": slices.setdefault(members, len(slices)), "bad": bad, **numbers})
    listed = _listed(root)
    known = {image: place for place, image in reversed(list(enumerate(zip(*listed, strict=True))))}
    images = [_slice(members, known) for members in slices]
    for name, schema, content in (("slices", _IMAGES, images), ("scores", _SCORES, lines)):
        write(pa.Table.from_pylist(content, schema), root / f"{name}.parquet")


def _listed(root: Path) -> list[list[Any]]:
    """The columns :data:`_COLUMNS` of the folder's ``images.parquet``; empty if it has none."""
    file = root / "images.parquet"
    if not file.exists():
        return [[] for _ in _COLUMNS]
    table = pq.read_table(file, columns=list(_COLUMNS))
    return [table[column].to_pylist() for column in _COLUMNS]


def _slice(members: tuple[Any, ...], known: Mapping[tuple[Any, ...], int]) -> dict[str, Any]:
    """The images of a slice: their rows among the ``known`` ones, or their ids if one is not among them."""
    places = [known.get(image) for image in zip(*members, strict=True)]
    if None not in places:
        return {"place": places}
    rows, ids, labels = members
    return {"row_id": _bytes(rows), "image_id": _bytes(ids), "label": list(labels)}


def write(lists: pa.Table, file: Path) -> None:
    """Write packed values as parquet, as small as possible.

    No dictionary for numbers, since nearly all differ; the bytes of floats are stored by their significance.
    """
    floats = [f"{name}.list.element" for name in ("logit", "value") if name in lists.column_names]
    options = {"use_dictionary": ["file"], "use_byte_stream_split": floats}
    pq.write_table(lists, file, compression="brotli", compression_level=11, **options)


def _images(line: Mapping[str, Any], listed: Table) -> dict[str, Any]:
    """The columns of a slice's images, from its line in ``slices.parquet``."""
    places = line.get("place")
    if places is not None:
        return {name: [column[place] for place in places] for name, column in listed.items()}
    return {name: _hex(line[name]) if name in _IDS else line[name] for name in _COLUMNS}


class Packed:
    """The packed values of a results folder; empty if it has none."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def _lines(self) -> dict[str, dict[str, Any]]:
        path = self._root / "scores.parquet"
        return {line["file"]: line for line in pq.read_table(path).to_pylist()} if path.exists() else {}

    @cached_property
    def _images(self) -> list[dict[str, Any]]:
        lines = pq.read_table(self._root / "slices.parquet").to_pylist()
        listed = dict(zip(_COLUMNS, _listed(self._root), strict=True))
        return [_images(line, listed) for line in lines]

    def knows(self, file: str) -> bool:
        """Whether the values of a file are packed."""
        return file in self._lines

    def read(self, file: str) -> dict[str, list[Any]]:
        """The columns of a file as they were before packing, without ``p_fake``, which follows from the logit."""
        line = self._lines[file]
        table: dict[str, list[Any]] = dict(self._images[line["slice"]])
        if line["value"] is not None:
            return table | {"value": line["value"]}
        count = len(table["row_id"])
        status, reason = [OK] * count, [""] * count
        for bad in line["bad"]:
            status[bad["place"]], reason[bad["place"]] = bad["status"], bad["reason"]
        logit = np.asarray(line["logit"], np.float32).tolist()
        return table | {"logit": logit, "status": status, "reason": reason}
