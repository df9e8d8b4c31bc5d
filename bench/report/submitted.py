"""``tables/submitted.md``: what others have submitted to a board, beside the board's own best."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.report.board import Board, percent
from bench.results.folder import Results, write_text
from bench.results.submitted import read
from bench.types import label_of

_NOTE = (
    "Results that others have submitted. Each folder was verified when it was added: its numbers followed from its "
    "per-image scores, and its test images were the board's. How its detectors were trained, and that the scores are "
    "theirs, the submitter says. In percent, with 95 % intervals; not ranked with the board's detectors."
)
_COLUMNS = (
    "Method",
    "Submitted by",
    "Training images (stated)",
    "Seeds",
    "AUC out of family",
    "AUC family",
    "ACC out @0.5",
)
_SETTING = ["train", "train_protocol", "dataset", "protocol"]


def _number(part: pd.DataFrame, subset: str, metric: str, rule: str) -> str:
    found = part[(part["subset"] == subset) & (part["metric"] == metric) & (part["threshold_rule"] == rule)]
    return percent(*found[["value", "low", "high"]].iloc[0]) if len(found) else "–"


def markdown(board: Board, found: pd.DataFrame) -> str:
    """A section per setting, a line per method and submitter."""
    text = f"{_NOTE}\n"
    for (train, before, dataset, after), part in found.groupby(_SETTING, sort=False):
        lines = []
        for (name, _, variant), own in part.groupby(["name", "method", "variant"], sort=False):
            first = own.iloc[0]
            title = label_of(first["title"], variant)
            by = f"[{name}]({first['link']})" if first["link"] else name
            numbers = [_number(own, *cell) for cell in _cells()]
            lines.append([title, by, first["training"], str(first["seeds"]), *numbers])
        body = tabulate(lines, _COLUMNS, "github", disable_numparse=True)
        text += f"\n**{dataset}, trained on {train}, {before} → {after}**\n\n{body}\n"
    return f"{text}\n{board.sentence}\n"


def _cells() -> tuple[tuple[str, str, str], ...]:
    return (("mean:out", "auc", ""), ("mean:family", "auc", ""), ("mean:out", "acc", "0.5"))


def write_submitted(board: Board, results: Results) -> list[str]:
    """Write the table; returns its stem in a list, which is empty if nothing was submitted."""
    found = read(results.submitted)
    if found.empty:
        return []
    write_text(results.tables / "submitted.md", markdown(board, found))
    return ["submitted"]
