"""``budgets.csv``: a board's detectors beside the same detectors trained until their validation loss stops falling.

Both results folders have scored the same images, so differences are paired. See :mod:`bench.training.budgets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.results import comparisons, rankings, summary
from bench.results.comparisons import Side
from bench.results.folder import SCHEMA, Results, write_text
from bench.results.frames import read_csv, table, to_csv

#: One row per detector, setting and mean. ``plateau`` is its AUC under that budget with ``plateau_low`` and
#: ``plateau_high``; ``effect`` is that minus the board's with the same ``seeds``, with its interval and p-value.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("train", "train_protocol", "dataset", "protocol", "method", "subset"), "str"),
    **dict.fromkeys(("plateau", "plateau_low", "plateau_high", "effect", "low", "high", "p"), "float64"),
    "seeds": "int64",
}
SUBSETS = ("mean:family", "mean:out")


def _values(results: Results) -> pd.DataFrame:
    """AUC of every method of a folder without perturbation, by setting, label and subset."""
    found = summary.read(results.summary)
    found = found[(found["metric"] == "auc") & (found["perturbation"] == "none") & (found["task"] == "detect")]
    label = found["method"] + found["variant"].map(lambda name: f"[{name}]" if name else "")
    return found.assign(method=label).set_index([*comparisons.SETTING, "method", "subset"])


def compute(board: Results, plateau: Results) -> pd.DataFrame:
    """The table of the detectors that both folders have."""
    values, lines = _values(plateau), []
    seeds = frozenset.intersection(
        *(frozenset(e.seed for e in part.read_matrix().entries if e.label) for part in (board, plateau))
    )
    shared = set(_values(board).index.unique("method")) & set(values.index.unique("method"))
    for label in sorted(shared & rankings.of_kind(board, "detector")):
        compared = comparisons.between(Side(plateau, label, seeds), Side(board, label, seeds), (label, label))
        for row in compared[compared["subset"].isin(SUBSETS)].dropna(subset="effect").itertuples():
            setting = [getattr(row, name) for name in comparisons.SETTING]
            value = values.loc[(*setting, label, row.subset)]
            line = {"schema": SCHEMA, **dict(zip(comparisons.SETTING, setting, strict=True)), "method": label}
            line |= {"subset": row.subset, "plateau": value["value"], "seeds": int(value["seeds"])}
            line |= {"plateau_low": value["low"], "plateau_high": value["high"]}
            lines.append(line | {name: getattr(row, name) for name in ("effect", "low", "high", "p")})
    return table(lines, COLUMNS)


def write(board: Results, plateau: Results, path: Path) -> None:
    """Write ``budgets.csv``."""
    write_text(path, to_csv(compute(board, plateau)))


def read(path: Path) -> pd.DataFrame:
    """Read ``budgets.csv``; a table without rows if there is none."""
    return read_csv(path, COLUMNS) if path.exists() else table([], COLUMNS)
