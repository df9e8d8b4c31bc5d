"""Reliability diagrams: the share of fakes among images of a predicted P(fake), one panel per detector."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd

from bench.metrics.classification import ECE_BINS
from bench.metrics.curves import reliability
from bench.report import samples, style
from bench.report.board import Board, Setting
from bench.report.samples import Part

COLUMNS = ("method", "relation", "reason", "ece", "bin", "images", "p_fake", "fakes")
_DRAWN = ("source", "out")


def bins(board: Board, setting: Setting, parts: Sequence[Part]) -> pd.DataFrame:
    """One row per detector, relation and bin of P(fake) with images: their number, mean P(fake) and share of fakes.

    ``bin`` is the lower edge. The images of all generators and seeds are together; ``ece`` is the value of
    ``summary.csv`` in percent, which is the mean of each generator's and seed's own. A row that is not drawn has a
    ``reason``.
    """
    rows = []
    for part in (part for part in parts if part.relation in _DRAWN):
        value = board.value(setting, part.label, samples.subset(setting, part.relation), "ece").value
        head = {**part.head, "ece": np.nan if value is None else round(100 * value, 2)}
        if not part.cells:
            rows.append(head)
            continue
        found = [reliability(cell.counts) for cell in part.cells]
        images, p_fake, fakes = (np.sum([getattr(x, n) for x in found], axis=0) for n in ("images", "p_fake", "fakes"))
        for place in np.flatnonzero(images):
            means = {"p_fake": p_fake[place] / images[place], "fakes": fakes[place] / images[place]}
            rows.append(
                {
                    **head,
                    "bin": round(place / ECE_BINS, 4),
                    "images": int(images[place]),
                    **{name: round(float(mean), 4) for name, mean in means.items()},
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"images": "Int64"})


@mpl.rc_context(style.TEXT)
def draw(data: pd.DataFrame, caption: str) -> mpl.figure.Figure:
    """Draw :func:`bins`; a marker's area is the share of the line's images, and the numbers are ECE in percent."""
    relations = [name for name in style.RELATIONS if (data["relation"] == name).any()]
    figure, axes = style.panels(data["method"].nunique(), "mean P(fake)", "share of fakes")
    for axis, (method, lines) in zip(axes, data.groupby("method", sort=False), strict=True):
        axis.plot([0, 1], [0, 1], color=style.FAINT, lw=0.6)
        shown = lines[lines["reason"] == ""]
        for name, line in shown.groupby("relation", sort=False):
            look = style.RELATIONS[str(name)]
            axis.plot(line["p_fake"], line["fakes"], color=look.colour, ls=look.line, lw=0.8)
            share = (line["images"] / line["images"].sum()).to_numpy(np.float64)
            sizes = 2 + 60 * share
            axis.scatter(line["p_fake"], line["fakes"], sizes, look.colour, marker=look.marker, alpha=0.8, lw=0)
            style.number(axis, relations.index(str(name)), len(relations), look, f"{line['ece'].iloc[0]:.1f}")
        axis.set_title(str(method), pad=2)
        axis.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.27), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    looks = [style.RELATIONS[name] for name in relations]
    style.legend(figure, [style.key(look, marker=look.marker, ms=4) for look in looks])
    style.caption(figure, caption)
    return figure


def caption(board: Board, setting: Setting, data: pd.DataFrame) -> str:
    """What the diagrams are, and what is not drawn."""
    return (
        f"Calibration. {samples.words(setting)} {ECE_BINS} equal bins of P(fake), the images of all generators and "
        "seeds together; a marker's area is its share of them. Numbers: expected calibration error in percent, in the "
        "order of the legend. It is the mean over generators and seeds, and can be more than a line shows: in a line "
        f"gaps of different signs cancel.{samples.left_out(data)} {board.sentence}"
    )
