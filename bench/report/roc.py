"""ROC curves: one panel per detector, one line per relation of the test generators to the training generator."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd

from bench.metrics.curves import roc
from bench.report import samples, style
from bench.report.board import Board, Setting
from bench.report.samples import Part

#: The false positive rates at which curves are averaged.
GRID = np.linspace(0, 1, 101)
_RATES = [f"{rate:.2f}" for rate in GRID]


def curves(board: Board, setting: Setting, parts: Sequence[Part]) -> pd.DataFrame:
    """One row per detector and relation: the mean AUC in percent, and the mean TPR in 0…1 at each FPR of the grid.

    ``cells`` is the number of curves behind it, one per generator and seed; a row that is not drawn has a ``reason``.
    """
    rows = []
    for part in parts:
        row = {**part.head, "cells": len(part.cells)}
        area = board.value(setting, part.label, samples.subset(setting, part.relation), "auc").value
        row["auc"] = np.nan if area is None else round(100 * area, 2)
        if part.cells:
            mean = np.mean([roc(cell.counts, GRID) for cell in part.cells], axis=0)
            row |= dict(zip(_RATES, mean.round(4), strict=True))
        rows.append(row)
    return pd.DataFrame(rows, columns=["method", "relation", "reason", "cells", "auc", *_RATES])


@mpl.rc_context(style.TEXT)
def draw(data: pd.DataFrame, caption: str) -> mpl.figure.Figure:
    """Draw :func:`curves`; the numbers in a panel are AUC in percent."""
    relations = [name for name in style.RELATIONS if (data["relation"] == name).any()]
    figure, axes = style.panels(data["method"].nunique(), "FPR", "TPR")
    for axis, (method, lines) in zip(axes, data.groupby("method", sort=False), strict=True):
        axis.plot([0, 1], [0, 1], color=style.FAINT, lw=0.6)
        for line in lines[lines["reason"] == ""].itertuples(index=False):
            look = style.RELATIONS[line.relation]
            axis.plot([0, *GRID], [0, *line[-len(GRID) :]], color=look.colour, ls=look.line, lw=1.1)
            style.number(axis, relations.index(line.relation), len(relations), look, f"{line.auc:.0f}")
        axis.set_title(str(method), pad=2)
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.25), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    style.legend(figure, [style.key(style.RELATIONS[name]) for name in relations])
    style.caption(figure, caption)
    return figure


def caption(board: Board, setting: Setting, data: pd.DataFrame) -> str:
    """What the curves are, and what is not drawn."""
    return (
        f"ROC curves. {samples.words(setting)} A line is the mean TPR at each of {len(GRID)} equally spaced FPR, over "
        f"generators and seeds (TPR: share of fakes found; FPR: share of photographs called fake). Numbers: mean AUC "
        f"in percent, in the order of the legend.{samples.left_out(data)} {board.sentence}"
    )
