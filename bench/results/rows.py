"""``rows.csv``: one metric of one cell a line, sorted, nine significant digits, no times."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.results.folder import SCHEMA, read_text, write_text
from bench.types import Row

COLUMNS = tuple(field.name for field in fields(Row))
_NUMBERS = ("value", "low", "high")
_COUNTS = ("schema", "seed", "n_real", "n_fake", "n_listed", "n_failed")


def _sort_key(row: Row) -> tuple[str, ...]:
    values = vars(row)
    order = (*(c for c in COLUMNS if c not in _NUMBERS),)
    return tuple(f"{values[c]:09d}" if isinstance(values[c], int) else str(values[c]) for c in order)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return format(value, ".9g") if isinstance(value, float) else str(value)


def render(rows: Iterable[Row]) -> str:
    """The rows as CSV text; the same rows give the same bytes."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in sorted(rows, key=_sort_key):
        writer.writerow([_cell(value) for value in vars(row).values()])
    return buffer.getvalue()


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write rows, whole or not at all."""
    write_text(path, render(rows))


def read(path: Path) -> list[Row]:
    """Read rows back. Raises UserError for a missing file or another schema."""
    text = read_text(path)
    if text is None:
        raise UserError(f"{path} does not exist.", f"{path.parent} holds no rows.", "Run `python run_bench.py` first.")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise UserError(
            f"{path} does not have the columns of schema {SCHEMA}.",
            f"It has: {', '.join(reader.fieldnames or ())}.",
            "Run the same command again into a fresh folder.",
        )
    return [Row(**{name: _parse(name, word) for name, word in line.items()}) for line in reader]


def _parse(name: str, text: str) -> Any:  # noqa: ANN401 - str, int, float or None by column
    if name in _NUMBERS:
        return float(text) if text else None
    return int(text) if name in _COUNTS else text
