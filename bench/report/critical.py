"""Critical differences: mean ranks over the generators out of family, with Nemenyi's bars (Demšar, JMLR 2006)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from matplotlib.axes import Axes

from bench.report import samples, style
from bench.report.board import Board, Setting
from bench.report.comparisons import p_text
from bench.report.figures import write_figure
from bench.results.folder import Results

COLUMNS = ("method", "label", "mean_rank", "critical_difference", "friedman_p", "reason")

#: The most ranks that have a number on the scale.
_TICKS = 16


def ranks(board: Board, setting: Setting) -> pd.DataFrame:
    """The detectors by mean rank, 1 for the best, as ``ranks.csv`` has them; one without a rank has a ``reason``."""
    found = board.ranking(setting).reset_index()
    found["method"] = found["label"].map(board.title)
    return found[list(COLUMNS)].sort_values(["mean_rank", "label"], ignore_index=True)


def bars(means: list[float], distance: float) -> list[tuple[int, int]]:
    """Nemenyi's bars over ascending mean ranks: the first and last place of each longest run within ``distance``."""
    found: list[tuple[int, int]] = []
    for first, mean in enumerate(means):
        last = max(place for place, other in enumerate(means) if other - mean < distance)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _labels(axis: Axes, board: Board, drawn: pd.DataFrame, top: float, step: float) -> None:
    """The names beside the scale: the better half on the left, the others on the right, each at a height of its own."""
    looks, half, count = style.detectors(board), (len(drawn) + 1) // 2, len(drawn)
    for place, row in enumerate(drawn.itertuples()):
        left, look = place < half, looks[row.label]
        height = top + step * (place if left else count - 1 - place)
        edge = 1 - 0.02 * count if left else count + 0.02 * count
        axis.plot([row.mean_rank, row.mean_rank, edge], [0, height, height], color=look.colour, lw=0.8)
        axis.plot(row.mean_rank, 0, look.marker, color=look.colour, ms=4, clip_on=False, zorder=3)
        text = f"{row.method}  {row.mean_rank:.1f}" if left else f"{row.mean_rank:.1f}  {row.method}"
        name = axis.annotate(text, (edge, height), (-3 if left else 3, 0), textcoords="offset points", va="center")
        name.set(fontsize=style.SMALL, ha="right" if left else "left")


@mpl.rc_context(style.TEXT)
def draw(board: Board, data: pd.DataFrame, caption: str) -> mpl.figure.Figure:
    """Draw :func:`ranks`: rank 1 is on the left; a thick bar joins detectors that are not told apart."""
    drawn = data[data["mean_rank"].notna()]
    means, distance, count = list(drawn["mean_rank"]), float(drawn["critical_difference"].iloc[0]), len(drawn)
    joined = bars(means, distance)
    top, step = 0.6 + 0.35 * len(joined), 0.62
    height = top + step * ((count + 1) // 2)
    figure = mpl.figure.Figure(figsize=(5.2, 0.6 + 0.26 * height), layout="constrained")
    axis = figure.subplots()
    for place, (first, last) in enumerate(joined):
        level = 0.55 + 0.35 * place
        axis.plot([means[first] - 0.06, means[last] + 0.06], [level, level], color=style.BLACK, lw=2.6, zorder=2)
    _labels(axis, board, drawn, top, step)
    axis.plot([1, 1 + distance], [-1.9, -1.9], "|-", color=style.BLACK, lw=1.2, ms=5, clip_on=False)
    axis.annotate(f"critical difference {distance:.1f}", (1 + distance / 2, -2.1), ha="center", fontsize=style.SMALL)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.spines["top"].set(visible=True, position=("data", 0), bounds=(1, count))
    axis.xaxis.tick_top()
    every = -(-count // _TICKS)
    axis.set(xlim=(1 - 0.32 * count, count + 0.32 * count), ylim=(height, -2.8), yticks=())
    axis.set_xticks([1, *range(every, count + 1, every)] if every > 1 else range(1, count + 1))
    style.caption(figure, caption)
    return figure


def write_critical(board: Board, results: Results) -> list[Path]:
    """Write the diagram of every setting under one protocol that has mean ranks; returns the PNG files."""
    written = []
    for setting in samples.settings(board):
        data = ranks(board, setting)
        tested = data.dropna(subset="mean_rank")
        if len(tested):
            p = float(tested["friedman_p"].iloc[0])
            holes = data[data["mean_rank"].isna()]
            caption = (
                f"Mean ranks over the generators out of family (1 is the best). {samples.words(setting)} A bar joins "
                "detectors that Nemenyi's test does not tell apart at 5 %; Friedman's p "
                f"{p_text(p) if p < 0.001 else f'= {p_text(p)}'}."
                f"{samples.left_out(holes, ['method'])} {board.sentence}"
            )
            written.append(write_figure(results, f"{setting.slug}-ranks", data, draw(board, data, caption)))
    return written
