"""A figure of means against a number: photographs and fakes with intervals, one panel per generator."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from matplotlib.axes import Axes

from bench.report import style
from bench.results import probed
from bench.suites.probed import Probed

_COLUMNS = 3


def _panel(axis: Axes, part: pd.DataFrame, title: str) -> None:
    where = part["probe"].astype(float)
    for kind, name in (("real", "photographs"), ("fake", "fakes")):
        axis.plot(
            where,
            part[kind],
            f"{style.CLASSES[kind].marker}-",
            color=style.CLASSES[kind].colour,
            ms=3,
            lw=1.4,
            label=name,
        )
        known = part[f"{kind}_low"].notna()
        low, high = part.loc[known, f"{kind}_low"], part.loc[known, f"{kind}_high"]
        axis.fill_between(where[known], low, high, color=style.CLASSES[kind].colour, alpha=0.2, lw=0)
    counts = part[["n_real", "n_fake"]].max()
    axis.set_title(f"{title} ({counts['n_real']} + {counts['n_fake']})")


@mpl.rc_context(style.TEXT)
def draw(
    measured: pd.DataFrame, titles: Mapping[tuple[str, str], str], experiment: Probed, caption: str
) -> matplotlib.figure.Figure:
    """Draw the rows of one protocol: first all generators together, then each. ``titles`` are those of the subsets."""
    known = measured[measured["reason"] == ""]
    places = list(dict.fromkeys(zip(known["dataset"], known["subset"], strict=True)))
    places.sort(key=lambda place: place[1] != probed.POOLED)
    rows = -(-len(places) // _COLUMNS)
    figure = mpl.figure.Figure(figsize=(3.1 * _COLUMNS, 1.2 + 2.1 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (dataset, subset) in zip(axes, places, strict=False):
        part = known[(known["dataset"] == dataset) & (known["subset"] == subset)]
        _panel(axis, part, "all generators" if subset == probed.POOLED else titles[dataset, subset])
    for axis in axes[len(places) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(places) - _COLUMNS) : len(places)]:
        axis.set_xlabel(experiment.axis)
        axis.tick_params(labelbottom=True)
    figure.supylabel(experiment.quantity)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    style.caption(figure, caption)
    return figure
