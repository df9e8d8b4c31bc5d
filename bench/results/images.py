"""``images.parquet``: the file of every ``row_id``, with the file's properties and its status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from bench.results.folder import Results, write_table

#: ``images.parquet`` has one row per image and slice. ``path`` is relative to the dataset's folder.
COLUMNS: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("dataset", "subset", "role", "row_id", "image_id", "path"), pa.string()),
    "label": pa.int8(),
    "container": pa.string(),
    **dict.fromkeys(("quality", "width", "height", "bytes"), pa.int64()),
    **dict.fromkeys(("status", "reason"), pa.string()),
}


def write(results: Results, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write one row per image; the same images give the same bytes."""
    columns = {name: pa.array([line[name] for line in lines], kind) for name, kind in COLUMNS.items()}
    write_table(results.images, columns, "")


def read(results: Results) -> dict[str, list[Any]]:
    """Read the columns by name. Raises UserError if the file is missing or unreadable."""
    return results.table(results.images.name)
