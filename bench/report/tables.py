"""Tables in the layout of SARE's Tables 1–2: one row per method, one column per generator, the average last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from tabulate import tabulate

from bench.controls import CONTROLS
from bench.metrics import classification
from bench.report import shortcuts
from bench.report.board import Board, Setting, percent
from bench.report.windows import windows
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv

#: File suffix, metric, threshold rule, and the metric's name in the caption.
KINDS = (
    ("acc", "acc", "0.5", "ACC (%) at threshold 0.5"),
    ("auc", "auc", "", "AUC (%)"),
    ("ap", "ap", "", "AP (%)"),
    ("acc-source-val", "acc", "source_val", "ACC (%) at the threshold of the source's validation images"),
    ("tpr-at-5fpr", "tpr_at_5fpr", "", "TPR (%) at 5 % FPR"),
    ("ece", "ece", "", "Expected calibration error (%)"),
)
#: Markup of the best and the second-best value of a column.
_MARKDOWN, _LATEX = {1: "**%s**", 2: "<u>%s</u>"}, {1: r"\textbf{%s}", 2: r"\underline{%s}"}


@dataclass(frozen=True)
class Table:
    """A table as data: ``cells`` has one row per method and column, in the order in which they are printed.

    ``least`` says that a small value is good. ``windows`` are lines on the test images of each column.
    ``shortcut`` says which columns a fact of the files solves as well.
    """

    cells: pd.DataFrame
    caption: str
    least: bool = False
    windows: Sequence[Sequence[str]] = ()
    shortcut: str = ""


def table(board: Board, setting: Setting, metric: str, rule: str, words: str) -> Table:
    """One metric of all methods in one setting; detectors first, then the trivial baselines."""
    columns = board.columns_of(setting)
    titles = {column.subset: column.title for column in columns if column.averaged}
    titles |= {"mean:all": "Avg", "mean:out": "Avg out"}
    titles |= {column.subset: f"beside: {column.title}" for column in columns if not column.averaged}
    cells = board.cells(setting, list(titles), metric, rule)
    cells.insert(2, "column", cells.pop("subset").map(titles))
    after = "" if setting.perturbation == "none" else f" Test images of both classes after {setting.perturbation}."
    trained = setting.untrained or f"trained on {setting.train} ({setting.train_protocol})"
    caption = f"{words} on {setting.dataset}, {trained}, tested {setting.protocol}.{after} {_of(cells)} {board.label}."
    least = classification.METRICS[metric].least
    return Table(cells, caption, least, windows(board, setting, list(titles)), shortcuts.line(board, setting))


def _of(cells: pd.DataFrame) -> str:
    """What the intervals of a table describe."""
    return f"95 % intervals: {' or '.join(sorted(set(cells['varies']) - {''})) or 'none, too few images'}."


def _ranks(data: Table) -> pd.Series:
    """1 for the best value of each column among detectors, 2 for the second best; empty for a single detector."""
    detectors = data.cells[data.cells["kind"] == "detector"]
    if detectors["method"].nunique() < 2:
        return pd.Series(dtype="float64")
    return detectors["value"].round(4).groupby(detectors["column"]).rank("dense", ascending=data.least)


def _wide(data: Table, marks: dict[int, str], interval: bool) -> pd.DataFrame:
    """The table as it is printed: text by method and column."""
    cells, ranks = data.cells, _ranks(data)
    texts = []
    for index, row in cells.iterrows():
        number, _, rest = percent(row["value"], row["low"], row["high"], digits=2).partition(" ")
        mark = marks.get(int(ranks.get(index, 0) or 0), "%s") if pd.notna(row["value"]) else "%s"
        texts.append((mark % number) + (f" {rest}" if interval and rest else ""))
    wide = cells.assign(text=texts).pivot(index="method", columns="column", values="text")
    return wide.reindex(index=cells["method"].unique(), columns=cells["column"].unique())


def markdown(data: Table) -> str:
    """The table as GitHub Markdown with intervals: best bold, second best underlined, reasons of holes below.

    Under a protocol the last lines say what it made of each column's test images.
    """
    wide = _wide(data, _MARKDOWN, interval=True)
    lines = [*wide.reset_index().values.tolist(), *([f"*{name}*", *texts] for name, *texts in data.windows)]
    body = tabulate(lines, ["Method", *wide.columns], "github", disable_numparse=True)
    holes = data.cells[data.cells["value"].isna()]
    names = (holes["method"] + " on " + holes["column"]).groupby(holes["reason"]).agg(", ".join)
    notes = "".join(f"\n- {cells}: {reason}" for reason, cells in names.items())
    notes = f"\n{data.shortcut}\n{notes}" if data.shortcut else notes
    return f"{data.caption}\n\n{body}\n{notes}\n" if notes else f"{data.caption}\n\n{body}\n"


def latex(data: Table) -> str:
    """The table as a LaTeX tabular (package booktabs), as papers print it: values without intervals."""
    wide = _wide(data, _LATEX, interval=False).reset_index(names="Method").rename_axis(columns=None)
    text = wide.to_latex(index=False, escape=False, column_format="l" + "r" * (len(wide.columns) - 1))
    caption = " ".join(filter(None, (data.caption, data.shortcut))).replace("%", r"\%").replace("_", r"\_")
    return f"% {data.caption}\n{text}% caption: {caption}\n"


def write_tables(board: Board, results: Results) -> list[str]:
    """Write every table of a results folder in three formats; returns their stems.

    Controls have one table together (:mod:`bench.report.controls`).
    """
    stems = []
    for setting in (s for s in board.settings if s.perturbation not in CONTROLS):
        for suffix, metric, rule, words in KINDS:
            data = table(board, setting, metric, rule, words)
            stem = f"{setting.slug}-{suffix}"
            for ending, text in (("md", markdown(data)), ("tex", latex(data)), ("csv", to_csv(data.cells))):
                write_text(results.tables / f"{stem}.{ending}", text)
            stems.append(stem)
    return stems
