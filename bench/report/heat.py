"""The matrix as a heat map: AUC of every method on every generator, one panel per dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bench.report import style
from bench.report.board import Board, Setting, file_name
from bench.report.figures import write_figure
from bench.results.folder import Results

#: Above this distance from 0.5 a cell is too dark for black text.
_DARK = 0.33


def panel(board: Board, setting: Setting) -> pd.DataFrame:
    """AUC of all methods in one setting: one row per method and column; the last column is the mean out of family."""
    titles = {column.subset: column.title for column in board.columns_of(setting)} | {"mean:out": "mean out"}
    cells = board.cells(setting, list(titles), "auc").rename(columns={"value": "auc"})
    return cells.assign(dataset=setting.dataset, column=cells["subset"].map(titles))


def _fill(axis: Axes, part: pd.DataFrame) -> None:
    wide = part.pivot(index="method", columns="column", values="auc")
    wide = wide.reindex(index=part["method"].unique(), columns=part["column"].unique())
    colours = mpl.colormaps["RdBu"].with_extremes(bad="#e4e4e4")
    shares = wide.to_numpy(dtype=np.float64)
    axis.imshow(np.ma.masked_invalid(shares), cmap=colours, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        text = "–" if np.isnan(share) else f"{100 * share:.0f}"
        colour = "white" if abs(share - 0.5) > _DARK else "black"
        axis.text(column, row, text, ha="center", va="center", fontsize=style.SMALL, color=colour)
    for above in part.groupby("kind", sort=False)["method"].nunique().cumsum()[:-1]:
        axis.axhline(above - 0.5, color="white", lw=3)
    axis.axvline(len(wide.columns) - 1.5, color="white", lw=3)
    axis.set_xticks(range(len(wide.columns)), list(wide.columns), rotation=40, ha="left", rotation_mode="anchor")
    axis.set_yticks(range(len(wide.index)), list(wide.index))
    axis.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axis.set_xlabel(str(part["dataset"].iloc[0]))
    axis.spines[:].set_visible(False)


@mpl.rc_context(style.TEXT)
def draw(panels: Sequence[pd.DataFrame], caption: str) -> matplotlib.figure.Figure:
    """Draw blue if a method ranks fakes above photographs, white at chance level, red if the ranking is reversed."""
    widths = [part["column"].nunique() for part in panels]
    height = 1.2 + 0.2 * max(part["method"].nunique() for part in panels)
    figure = mpl.figure.Figure(figsize=(max(style.COLUMN, 1.4 + 0.4 * sum(widths)), height), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
    for axis, part in zip(axes, panels, strict=True):
        _fill(axis, part)
        if part is not panels[0] and list(part["method"].unique()) == list(panels[0]["method"].unique()):
            axis.set_yticks([])
    style.caption(figure, caption)
    return figure


def write_heat(board: Board, results: Results) -> list[Path]:
    """Write the matrix of every training source and pair of protocols with its data; returns the PNG files."""
    groups: dict[tuple[str, str, str], list[Setting]] = {}
    for setting in board.settings:
        if setting.perturbation == "none":
            groups.setdefault((setting.train, setting.train_protocol, setting.protocol), []).append(setting)
    written = []
    for (train, before, after), settings in sorted(groups.items()):
        panels = [panel(board, setting) for setting in settings]
        data = pd.concat(panels)[["dataset", "method", "column", "auc", "low", "high"]]
        figure = draw(panels, f"AUC (%), trained on {train} ({before}), tested {after}. {board.sentence}")
        written.append(write_figure(results, f"{file_name(train)}-{before}-to-{after}-matrix", data, figure))
    return written
