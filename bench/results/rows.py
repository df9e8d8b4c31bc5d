"""``rows.csv`` as a DataFrame: one metric of one cell per row, sorted, six significant digits, no times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from bench.results.folder import write_text
from bench.results.frames import DTYPES, read_csv, table, to_csv


@dataclass(frozen=True)
class Row:
    """One metric of one cell with its interval; the columns of ``rows.csv`` in order.

    ``value``, ``low`` and ``high`` are shares in 0…1, or None in a hole.
    """

    schema: int
    method: str
    variant: str
    fit: str
    train: str
    train_protocol: str
    seed: int
    task: str
    target: str
    dataset: str
    subset: str
    protocol: str
    perturbation: str
    geometry: str
    relation: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    interval: str
    n_real: int
    n_fake: int
    n_listed: int
    n_failed: int
    threshold_rule: str
    status: str
    reason: str
    origin: str
    source: str


#: The columns of ``rows.csv`` with their pandas types; :class:`Row` says what they mean.
COLUMNS: Mapping[str, str] = {field.name: DTYPES[str(field.type)] for field in fields(Row)}


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as a sorted DataFrame; missing numbers are NaN."""
    return table(map(vars, rows), COLUMNS)


def render(rows: pd.DataFrame) -> str:
    """Rows as CSV text; equal rows give equal bytes."""
    return to_csv(rows)


def write(path: Path, rows: pd.DataFrame) -> None:
    """Write rows, completely or not at all."""
    write_text(path, render(rows))


def read(path: Path) -> pd.DataFrame:
    """Read rows, also from ``rows.csv.xz``. Raises UserError if the file is missing or has other columns."""
    return read_csv(path, COLUMNS)
