"""What an experiment leaves: its text, and its lines for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from tabulate import tabulate


@dataclass(frozen=True)
class Written:
    """An experiment's page as GitHub Markdown, and its values, one line each, without NaN."""

    text: str
    lines: tuple[dict[str, Any], ...]


def lines_of(frame: pd.DataFrame, experiment: str) -> tuple[dict[str, Any], ...]:
    """The rows of a table as plain values with the experiment's name; missing numbers are None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return tuple({"experiment": experiment} | {str(k): v for k, v in row.items()} for row in plain.to_dict("records"))


def table(body: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    """A table as GitHub Markdown; a ``|`` in a cell does not end it."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (columns, *body)]
    text: str = tabulate(cells[1:], cells[0], "github", disable_numparse=True)
    return text


def interval(value: float, low: float, high: float, digits: int, sign: bool = False) -> str:
    """A number with its interval, ``0.123 [0.100, 0.146]``; a dash if it is missing."""
    if pd.isna(value):
        return "–"
    style = f"{'+' if sign else ''}.{digits}f"
    return f"{value:{style}}" + ("" if pd.isna(low) or pd.isna(high) else f" [{low:{style}}, {high:{style}}]")
