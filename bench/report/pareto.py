"""Accuracy against cost: mean AUC out of family and seconds per image, with the Pareto front."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import pandas as pd

from bench.report import samples, style
from bench.report.board import Board, Setting
from bench.report.figures import write_figure
from bench.report.place import Placed, place
from bench.results import costs
from bench.results.folder import Results

COLUMNS = ("method", "label", "auc", "low", "high", "seconds", "score", "artefacts", "forwards", "front", "reason")


def points(board: Board, setting: Setting, cost: pd.DataFrame) -> pd.DataFrame:
    """Every detector's mean AUC out of family and its cost, in the order of cost; ``cost`` is that of the folder.

    ``front`` marks those that no detector beats in one without being worse in the other. One with no AUC or no cost
    has a ``reason``.
    """
    rows = []
    known = cost.set_index("label")
    for label in samples.labels(board, setting):
        found, spent = board.value(setting, label, "mean:out", "auc"), known.loc[label]
        values = {"auc": found.value, "low": found.low, "high": found.high}
        reason = found.reason or spent["reason"]
        rows.append({"method": board.title(label), "label": label, **values, **spent.drop("reason"), "reason": reason})
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(("auc", "low", "high"), "float64"))
    frame = frame.sort_values(["seconds", "auc"], ascending=[True, False], kind="stable", ignore_index=True)
    drawn = frame["auc"].where(frame["reason"] == "")
    best_before = drawn.cummax().shift().fillna(-1.0)
    frame["front"] = (drawn > best_before.cummax()).astype(int)
    numbers = ["auc", "low", "high"]
    frame[numbers] = frame[numbers].round(4)
    spent_columns = ["seconds", "score", "artefacts"]
    frame[spent_columns] = frame[spent_columns].round(7)
    return frame


@mpl.rc_context(style.TEXT)
def draw(board: Board, data: pd.DataFrame, where: str, caption: str) -> mpl.figure.Figure:
    """Draw :func:`points`; ``where`` is the machine. Beyond a step of the front there is no cheaper detector."""
    looks, drawn = style.detectors(board), data[data["reason"] == ""]
    figure = mpl.figure.Figure(figsize=(5.2, 3.4), layout="constrained")
    axis = figure.subplots()
    front = drawn[drawn["front"] == 1]
    right = drawn["seconds"].max() * 1.6
    across, up = [*front["seconds"], right], [*front["auc"], front["auc"].iloc[-1]]
    axis.step(across, up, color=style.BLACK, where="post", lw=0.8, zorder=1)
    for point in drawn.itertuples():
        look = looks[point.label]
        axis.vlines(point.seconds, point.low, point.high, color=look.colour, lw=0.8, alpha=0.45, zorder=2)
        edge = style.BLACK if point.front else look.colour
        axis.plot(point.seconds, point.auc, look.marker, color=look.colour, ms=5.5, mec=edge, mew=0.9, zorder=3)
    axis.set_xscale("log")
    axis.set(xlim=(drawn["seconds"].min() / 1.6, right), ylabel="mean AUC out of family")
    style.log_ticks(axis)
    axis.axhline(0.5, color=style.FAINT, lw=0.6, zorder=0)
    axis.set_xlabel(f"seconds per image scored, its artefacts included\n(in one of the run's processes, {where})")
    style.caption(figure, caption)
    marks = [Placed(row.method, row.seconds, row.auc, row.low, row.high) for row in drawn.itertuples()]
    corners = [point for x, end, y in zip(across, across[1:], up, strict=False) for point in ((x, y), (end, y))]
    place(figure, axis, marks, corners)
    return figure


def write_pareto(board: Board, results: Results) -> list[Path]:
    """Write the figure of every setting under one protocol; none if the folder does not tell the costs."""
    cost, written = costs.compute(results), []
    for setting in samples.settings(board):
        data = points(board, setting, cost)
        if (data["reason"] == "").sum() > 1:
            caption = (
                f"Accuracy against cost. {samples.words(setting)} Cost: the recorded seconds of scoring, and of making "
                "the artefacts that the detector needs, while other processes may have used the machine; not of the "
                "protocol. Line and black edges: the Pareto front; "
                f"bars: 95 % intervals.{samples.left_out(data, ['method'])} {board.sentence}"
            )
            figure = draw(board, data, board.machine, caption)
            written.append(write_figure(results, f"{setting.slug}-cost", data, figure))
    return written
