"""The numbers that the papers print in tables, digit by digit (``published.csv``)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd

FILE = Path(__file__).parent / "published.csv"
#: Name and place of each paper, in the order of pages.
PAPERS = {
    "sare": ("SARE", "arXiv 2508.09487"),
    "lare2": ("LaRE²", "CVPR 2024"),
    "semgir": ("SemGIR", "ACM MM 2024"),
}


def read() -> pd.DataFrame:
    """Columns ``paper``, ``table``, ``row``, ``column``, ``value``: strings as printed.

    A table or figure whose values the paper's text does not print has one line, with everything but its name empty.
    """
    return pd.read_csv(FILE, dtype=str, keep_default_na=False)


def values(paper: str, table: str) -> dict[tuple[str, str], Decimal]:
    """The numbers of one table by (row, column); empty if its values are not printed."""
    lines = read().query("paper == @paper and table == @table and value != ''")
    return {(row, column): Decimal(value) for row, column, value in lines[["row", "column", "value"]].to_numpy()}


def holes() -> list[tuple[str, str]]:
    """(paper, table) of the tables and figures whose values are not printed."""
    lines = read().query("value == ''")
    return list(zip(lines["paper"], lines["table"], strict=True))
