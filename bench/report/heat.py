"""The matrix as a picture: AUC of every method on every generator, one panel a dataset."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes

from bench.report.board import Board, Setting, Value
from bench.report.figures import save
from bench.results.folder import Results, write_text

#: Above this distance from 0.5 a cell is too dark for black letters.
_DARK = 0.33


@dataclass(frozen=True)
class Panel:
    """One dataset's part of the matrix: titles of its columns, and a line of values a method, baselines last."""

    dataset: str
    columns: tuple[str, ...]
    methods: tuple[str, ...]
    detectors: int
    values: tuple[tuple[Value, ...], ...]


def panel(board: Board, setting: Setting) -> Panel:
    """AUC of all methods in one setting, with the mean out of the training generator's family last."""
    columns = board.columns_of(setting)
    subsets = [*(column.subset for column in columns), "mean:out"]
    detectors, statistics = board.methods(setting, "detector"), board.methods(setting, "statistic")
    return Panel(
        setting.dataset,
        (*(column.title for column in columns), "mean out"),
        tuple(board.title(method) for method in (*detectors, *statistics)),
        len(detectors),
        tuple(tuple(board.value(setting, m, s, "auc") for s in subsets) for m in (*detectors, *statistics)),
    )


def csv_text(panels: Sequence[Panel]) -> str:
    """The data of the picture, as shares."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["dataset", "method", "column", "auc", "low", "high"])
    for part in panels:
        for method, values in zip(part.methods, part.values, strict=True):
            for column, value in zip(part.columns, values, strict=True):
                numbers = ["" if x is None else format(x, ".9g") for x in (value.value, value.low, value.high)]
                writer.writerow([part.dataset, method, column, *numbers])
    return buffer.getvalue()


def _fill(axis: Axes, part: Panel) -> None:
    shares = np.array([[np.nan if v.value is None else v.value for v in line] for line in part.values])
    colours = mpl.colormaps["RdBu"].with_extremes(bad="#e4e4e4")
    axis.imshow(np.ma.masked_invalid(shares), cmap=colours, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        text = "–" if np.isnan(share) else f"{100 * share:.0f}"
        colour = "white" if abs(share - 0.5) > _DARK else "black"
        axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    axis.axhline(part.detectors - 0.5, color="white", lw=3)
    axis.axvline(len(part.columns) - 1.5, color="white", lw=3)
    axis.set_xticks(range(len(part.columns)), part.columns, rotation=40, ha="left", rotation_mode="anchor")
    axis.set_yticks(range(len(part.methods)), part.methods)
    axis.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axis.set_xlabel(part.dataset)
    axis.spines[:].set_visible(False)


def draw(panels: Sequence[Panel], caption: str) -> matplotlib.figure.Figure:
    """Blue where a method ranks fakes above photographs, white where it guesses, red where it has them reversed."""
    widths = [len(part.columns) for part in panels]
    height = 1.7 + 0.27 * max(len(part.methods) for part in panels)
    figure = mpl.figure.Figure(figsize=(1.9 + 0.52 * sum(widths), height), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
    for axis, part in zip(axes, panels, strict=True):
        _fill(axis, part)
        if part is not panels[0] and part.methods == panels[0].methods:
            axis.set_yticks([])
    figure.suptitle(caption, fontsize=9, color="#555555")
    return figure


def write_heat(board: Board, results: Results) -> list[Path]:
    """Write the matrix of every training source and pair of protocols with its data; returns the PNG files."""
    groups: dict[tuple[str, str, str], list[Setting]] = {}
    for setting in board.settings:
        if setting.perturbation == "none":
            groups.setdefault((setting.train, setting.train_protocol, setting.protocol), []).append(setting)
    made = []
    for (train, before, after), settings in sorted(groups.items()):
        panels = [panel(board, setting) for setting in settings]
        path = results.figures / f"{train}-{before}-to-{after}-matrix.png"
        write_text(path.with_suffix(".csv"), csv_text(panels))
        save(draw(panels, f"AUC (%), trained on {train} ({before}), tested {after}; {board.label}"), path)
        made.append(path)
    return made
