"""Tables of a results folder as DataFrames: one way to write a CSV file, and one to read it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from lzma import LZMAError
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UserError
from bench.results.folder import SCHEMA, read_text

#: The pandas type of a column, by the annotation of its field.
DTYPES = {"int": "int64", "str": "str", "float | None": "float64"}

#: A difference by one in the sixth digit, relative to the number.
_LAST_DIGIT = 1.1e-5
#: How much of a line a message shows.
_SHOWN = 120


def table(lines: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Lines as a DataFrame with ``columns`` (name → pandas type), sorted by all that are not float; NaN is missing."""
    frame = pd.DataFrame(list(lines), columns=list(columns)).astype(dict(columns))
    return frame.sort_values([name for name, kind in columns.items() if kind != "float64"], ignore_index=True)


def to_csv(frame: pd.DataFrame) -> str:
    """A DataFrame as CSV text: six significant digits, empty for missing values; equal frames give equal bytes."""
    text: str = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text


def read_csv(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """A CSV file (or its ``.xz``) with exactly ``columns``, name → pandas type, in that order.

    Raises UserError if the file does not exist, is damaged or has other columns.
    """
    try:
        text = read_text(path)
    except (ValueError, OSError, EOFError, LZMAError) as error:  # Not UTF-8, or a damaged .xz.
        raise _unreadable(path, error) from error
    if text is None:
        raise UserError(
            f"{path} does not exist.",
            f"{path.parent} contains no {path.stem}.",
            "Run the benchmark into this folder first, or name another.",
        )
    header = text.partition("\n")[0].split(",")
    if header != list(columns):
        raise UserError(
            f"{path} does not have the columns of schema {SCHEMA}.",
            f"It has: {', '.join(header)}.",
            "Rerun the command that made this folder, with a new --results folder.",
        )
    floats = {name: [""] for name, dtype in columns.items() if dtype == "float64"}
    options = {"keep_default_na": False, "na_values": floats, "float_precision": "round_trip"}
    try:
        frame = pd.read_csv(io.StringIO(text), dtype=dict(columns), **options)
    except ValueError as error:
        raise _unreadable(path, error) from error
    if not frame["schema"].eq(SCHEMA).all():
        raise _unreadable(path, f"It has rows of schema {sorted(set(frame['schema']) - {SCHEMA})}")
    return frame


def same_numbers(one: str, other: str) -> bool:
    """Whether two CSV texts are equal, but for the last digits of numbers: sums differ there between processors."""
    if one == other:
        return True
    try:
        tables = [pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""]) for text in (one, other)]
        pd.testing.assert_frame_equal(*tables, rtol=_LAST_DIGIT, atol=1e-9)
    except (AssertionError, ValueError):
        return False
    return True


def first_difference(found: str | None, wanted: str | None) -> str:
    """Where two texts differ first, as the end of a sentence; numbers of CSV files in more than their last digits."""
    if found is None or wanted is None:
        return ": it is missing" if found is None else ": it is not written any more"
    lines = found.splitlines(), wanted.splitlines()
    head = lines[1][0] if lines[1] else ""
    for number, (one, other) in enumerate(zip_longest(*lines), 1):
        texts = [f"{head}\n{line}\n" for line in (one, other)]
        if one != other and (None in (one, other) or "," not in head or not same_numbers(*texts)):
            return f": line {number} is {_start(one)}, not {_start(other)}"
    return ""


def _start(line: str | None) -> str:
    return "missing" if line is None else repr(line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…")


def _unreadable(path: Path, reason: object) -> UserError:
    return UserError(
        f"{path} cannot be read as schema {SCHEMA}.",
        f"{reason}.",
        "Rerun the command that made this folder, or name another folder.",
    )
