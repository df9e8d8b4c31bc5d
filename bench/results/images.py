"""``images.parquet``: which file every ``row_id`` is, with the file's facts and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from bench.results.folder import Results, write_table

#: ``images.parquet``: a line for each image of each slice. ``path`` is below the dataset's folder.
COLUMNS: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("dataset", "subset", "role", "row_id", "image_id", "path"), pa.string()),
    "label": pa.int8(),
    "container": pa.string(),
    **dict.fromkeys(("quality", "width", "height", "bytes"), pa.int64()),
    **dict.fromkeys(("status", "reason"), pa.string()),
}


def write(results: Results, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write a line an image; the same images give the same bytes."""
    columns = {name: pa.array([line[name] for line in lines], kind) for name, kind in COLUMNS.items()}
    write_table(results.images, columns, "")


def read(results: Results) -> dict[str, list[Any]]:
    """The columns. Raises UserError if the file is missing or unreadable."""
    return results.table(results.images.name)
