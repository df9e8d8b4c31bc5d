"""What is kept of galleries and of measurements of time: pictures, texts and maps, or seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.results.folder import Results, write_table


@dataclass(frozen=True)
class Shown:
    """One image of a gallery, and one artefact made of it.

    ``kind`` is ``png``, ``txt`` (UTF-8) or ``npy`` (float32 [H, W]) and says what ``data`` is; ``image`` is a PNG of
    the image as the artefact shows it, that is, of a picture's size.
    """

    row_id: str
    image_id: str
    label: int | None
    class_name: str
    kind: str
    data: bytes
    image: bytes


@dataclass(frozen=True)
class Time:
    """One repetition: the number of images, network evaluations per image, and seconds per image."""

    repeat: int
    images: int
    forwards: int
    seconds: float


_TYPES = {"label": pa.int8(), "data": pa.binary(), "image": pa.binary(), "seconds": pa.float64()}
_TYPES |= dict.fromkeys(("repeat", "images", "forwards"), pa.int64())


def write_lines(path: Path, kind: type, lines: Sequence[Any], key: str) -> None:
    """Write instances of a dataclass, one row each, with ``key``; columns are text unless :data:`_TYPES` says else."""
    names = [field.name for field in fields(kind)]
    columns = list(zip(*(astuple(line) for line in lines), strict=True)) or [()] * len(names)
    arrays = {n: pa.array(c, _TYPES.get(n, pa.string())) for n, c in zip(names, columns, strict=True)}
    write_table(path, arrays, key)


def write(path: Path, lines: Sequence[Shown], key: str) -> None:
    """Write the images of a gallery's probe; ``key`` is the probe's, or empty if the next run should try again."""
    write_lines(path, Shown, lines, key)


def write_times(path: Path, lines: Sequence[Time], key: str) -> None:
    """Write the times of a probe; ``key`` is the probe's."""
    write_lines(path, Time, lines, key)


def read(results: Results, relative: str) -> list[Shown]:
    """The images of a gallery's probe. Raises UserError if the file is missing or unreadable."""
    return [Shown(*line) for line in zip(*results.table(relative).values(), strict=True)]


def read_times(results: Results, relative: str) -> list[Time]:
    """The times of a probe. Raises UserError if the file is missing or unreadable."""
    return [Time(*line) for line in zip(*results.table(relative).values(), strict=True)]
