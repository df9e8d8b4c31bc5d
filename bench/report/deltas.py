"""A figure of differences: Δ = photographs − fakes of each generator with its interval, one mark per condition."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.figure
import pandas as pd

_COLOURS = ("#8a8a8a", "#2f7d4f", "#b08030")


def draw(
    measured: pd.DataFrame, titles: Mapping[tuple[str, str], str], caption: str, quantity: str
) -> matplotlib.figure.Figure:
    """Draw the rows of one protocol that have no reason; ``titles`` are those of the subsets."""
    known = measured[measured["reason"] == ""]
    places = list(dict.fromkeys(zip(known["dataset"], known["subset"], strict=True)))
    conditions = list(known["condition"].unique())
    figure = mpl.figure.Figure(figsize=(max(4.0, 1.2 + 0.85 * len(places)), 3.4), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / len(conditions)
    for number, condition in enumerate(conditions):
        part = known[known["condition"] == condition]
        where = [places.index(place) for place in zip(part["dataset"], part["subset"], strict=True)]
        shifted = [place + width * (number - (len(conditions) - 1) / 2) for place in where]
        spans = [part["delta"] - part["delta_low"], part["delta_high"] - part["delta"]]
        axis.bar(shifted, part["delta"], width, yerr=spans, color=_COLOURS[number], label=condition, capsize=2)
    axis.axhline(0, color="#444444", lw=0.8)
    axis.set_xticks(range(len(places)), [titles[place] for place in places])
    axis.set_ylabel("\n".join(textwrap.wrap(f"Δ of {quantity}", 34)), fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    if len(conditions) > 1:
        figure.legend(loc="outside lower center", ncols=len(conditions), frameon=False)
    figure.suptitle(caption, fontsize=9, color="#555555")
    return figure
