"""Means of photographs and fakes, and Δ between them: one row per generator, a panel per condition, one of Δ."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from bench.report import style

#: Dataset and subset.
Place = tuple[str, str]
#: Looks of conditions that are not those of SARE's Figure 4.
_OTHERS = ((style.BLUE, "s"), (style.SKY, "o"), (style.ORANGE, "^"), (style.GREEN, "v"))
#: Means further apart than this factor are drawn on a logarithmic scale.
_FACTOR = 3.0


def _rows(part: pd.DataFrame, places: Sequence[Place]) -> NDArray[np.float64]:
    """The row of every line's generator."""
    pairs = zip(part["dataset"], part["subset"], strict=True)
    return np.asarray([places.index(pair) for pair in pairs], np.float64)


def _means(axis: Axes, part: pd.DataFrame, rows: NDArray[np.float64], quantity: str) -> None:
    """Means of both classes in one condition, with their intervals."""
    for offset, name in ((-0.15, "real"), (0.15, "fake")):
        look = style.CLASSES[name]
        axis.hlines(rows + offset, part[f"{name}_low"], part[f"{name}_high"], color=look.colour, lw=1.4)
        axis.plot(part[name], rows + offset, look.marker, color=look.colour, ms=4)
    axis.set_title(str(part["condition"].iloc[0]))
    axis.set_xlabel("\n".join(textwrap.wrap(quantity, 34)))


def _linear(deltas: pd.Series) -> float:
    """Within how much of zero the scale of Δ is linear: a power of ten near the smaller gaps."""
    sizes = deltas.abs()[deltas != 0]
    return float(10.0 ** np.floor(np.log10(sizes.median()))) if len(sizes) else 1.0


def _gaps(axis: Axes, known: pd.DataFrame, places: Sequence[Place], looks: Mapping[str, style.Look]) -> None:
    """Δ in all conditions with its interval, on a scale on which small and large gaps can be read."""
    linear = _linear(known["delta"])
    for number, (condition, look) in enumerate(looks.items()):
        part = known[known["condition"] == condition]
        rows = _rows(part, places) + 0.3 * (number - (len(looks) - 1) / 2) / max(1, len(looks) - 1)
        axis.hlines(rows, part["delta_low"], part["delta_high"], color=look.colour, lw=1.4)
        axis.plot(part["delta"], rows, look.marker, color=look.colour, ms=4)
    axis.axvline(0, color=style.GREY, lw=0.7)
    axis.set_xscale("symlog", linthresh=linear, linscale=0.7)
    ends = known[["delta", "delta_low", "delta_high"]]
    scale = axis.xaxis.get_transform()
    low, high = scale.transform(np.asarray([min(ends.min().min(), 0.0), max(ends.max().max(), 0.0)]))
    low, high = scale.inverted().transform(np.asarray([low, high]) + np.asarray([-0.06, 0.06]) * (high - low))
    axis.set_xlim(low, high)
    _ticks(axis, linear, low, high)
    axis.set(title="Δ = photographs − fakes", xlabel=f"Δ (linear within ±{linear:g}, log beyond)")


def _ticks(axis: Axes, linear: float, low: float, high: float) -> None:
    shown: list[float] = []
    for steps in ((1,), (1, 5)):
        sizes = [sign * linear * step * 10.0**power for power in range(6) for step in steps for sign in (-1, 1)]
        shown = sorted(tick for tick in (0.0, *sizes) if low <= tick <= high)
        if len(shown) > 3:
            break  # Only a scale of less than a decade needs ticks between the powers of ten.
    axis.set_xticks(shown, [f"{tick:g}".replace("-", "−") for tick in shown])
    axis.xaxis.set_minor_locator(NullLocator())


def _looks(conditions: Sequence[str]) -> dict[str, style.Look]:
    if set(conditions) <= set(style.CONDITIONS):
        return {name: look for name, look in style.CONDITIONS.items() if name in conditions}
    named = zip(conditions, _OTHERS, strict=False)
    return {name: style.Look(f"Δ {name}" if len(conditions) > 1 else "Δ", *look) for name, look in named}


@mpl.rc_context(style.TEXT)
def draw(measured: pd.DataFrame, titles: Mapping[Place, str], caption: str, quantity: str) -> mpl.figure.Figure:
    """Draw the rows that have no reason: columns as in :data:`bench.results.shifts.COLUMNS`, a few conditions.

    ``titles`` are those of the subsets. ``quantity`` is what the means are of, for their axis.
    """
    known = measured[measured["reason"] == ""]
    places = list(dict.fromkeys(zip(known["dataset"], known["subset"], strict=True)))
    looks = _looks(list(known["condition"].unique()))
    figure = mpl.figure.Figure(figsize=(style.WIDTH, 0.95 + 0.24 * len(places)), layout="constrained")
    axes = figure.subplots(1, len(looks) + 1, sharey=True)
    ends = known[["real", "fake"]]
    logarithmic = bool(0 < ends.min().min() < ends.max().max() / _FACTOR)
    for axis, condition in zip(axes, looks, strict=False):
        part = known[known["condition"] == condition]
        if axis is not axes[0]:
            axis.sharex(axes[0])
        if logarithmic:
            axis.set_xscale("log")
        _means(axis, part, _rows(part, places), quantity + " (log scale)" * logarithmic)
    axes[0].set(
        yticks=range(len(places)), yticklabels=[titles[place] for place in places], ylim=(len(places) - 0.5, -0.5)
    )
    _gaps(axes[-1], known, places, looks)
    if logarithmic:
        style.log_ticks(axes[0])
    for axis in axes:
        for row in range(1, len(places), 2):
            axis.axhspan(row - 0.5, row + 0.5, color="#F2F2F2", zorder=0)
    shown = [*style.CLASSES.values(), *looks.values()]
    style.legend(figure, [style.key(look, marker=look.marker, ms=4) for look in shown])
    style.caption(figure, caption)
    return figure
