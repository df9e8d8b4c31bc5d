"""Histograms of scores: photographs, fakes of the training generator and out of family, one panel per detector."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.patches import Patch
from scipy.special import expit

from bench.report import samples, style
from bench.report.board import Board, Setting
from bench.report.samples import Part
from bench.results.scored import Scored

#: Edges of the bins of P(fake).
EDGES = np.linspace(0, 1, 31)
_BINS = [f"{edge:.3f}" for edge in EDGES[:-1]]
_DRAWN = ("source", "out")
PHOTOGRAPHS, SOURCE, OUT = "photographs", "fakes of the training generator", "fakes out of family"
_LOOKS = {
    SOURCE: style.RELATIONS["source"]._replace(title=SOURCE),
    OUT: style.RELATIONS["out"]._replace(title=OUT),
}
_RULES = {
    "0.5": style.Look("threshold 0.5", style.BLACK, "", ":"),
    "source_val": style.Look("threshold of the source's validation images, each seed", style.PURPLE, "", "-"),
}


def _shares(cells: Sequence[Scored], label: int) -> dict[str, float]:
    """The share of a class's images in each bin, averaged over cells."""
    found = []
    for cell in cells:
        p_fake = expit(cell.logits[cell.labels == label].astype(np.float64))
        found.append(np.histogram(p_fake, EDGES)[0] / len(p_fake))
    return dict(zip(_BINS, np.mean(found, axis=0).round(4), strict=True))


def shares(parts: Sequence[Part]) -> pd.DataFrame:
    """One row per detector and group of images: the share in each bin of P(fake), named by the bin's lower edge.

    A share is the mean over generators and seeds. ``thresholds`` are those of each seed, as P(fake) in 0…1. A row that
    is not drawn has a ``reason``.
    """
    rows = []
    drawn = [part for part in parts if part.relation in _DRAWN]
    for method in dict.fromkeys(part.method for part in drawn):
        mine = {part.relation: part for part in drawn if part.method == method}
        cells = [cell for part in mine.values() for cell in part.cells]
        cuts = sorted({cell.threshold for cell in cells if cell.threshold is not None})
        told = {"thresholds": ";".join(f"{expit(cut):.4f}" for cut in cuts)}
        reason = "" if cells else "; ".join(dict.fromkeys(part.reason for part in mine.values()))
        line = {"method": method, "images": PHOTOGRAPHS, "reason": reason, **told}
        rows.append(line | (_shares(cells, 0) if cells else {}))
        for name, part in mine.items():
            line = {"method": method, "images": SOURCE if name == "source" else OUT, "reason": part.reason, **told}
            rows.append(line | (_shares(part.cells, 1) if part.cells else {}))
    return pd.DataFrame(rows, columns=["method", "images", "reason", "thresholds", *_BINS])


@mpl.rc_context(style.TEXT)
def draw(data: pd.DataFrame, caption: str) -> mpl.figure.Figure:
    """Draw :func:`shares`, with the thresholds of both rules."""
    top = 1.3 * float(data[_BINS].max().max())
    ticks = [tick for tick in (0, 0.02, 0.1, 0.25, 0.5, 1) if tick <= top]
    figure, axes = style.panels(data["method"].nunique(), "score: P(fake)", "share of images")
    for axis, (method, lines) in zip(axes, data.groupby("method", sort=False), strict=True):
        for line in lines[lines["reason"] == ""].itertuples(index=False):
            heights = np.asarray(line[-len(_BINS) :], np.float64)
            if line.images == PHOTOGRAPHS:
                axis.stairs(heights, EDGES, fill=True, color="#CFCFCF")
            else:
                look = _LOOKS[line.images]
                axis.stairs(heights, EDGES, color=look.colour, ls=look.line, lw=1.0)
        for cut in filter(None, lines["thresholds"].iloc[0].split(";")):
            axis.axvline(float(cut), color=_RULES["source_val"].colour, lw=1.2, ymin=0.8)
        axis.axvline(0.5, color=style.BLACK, lw=0.9, ls=":")
        axis.set_title(str(method), pad=2)
        # A root scale: detectors that are sure have nearly all images in one bin, others spread them over all.
        axis.set_yscale("function", functions=(np.sqrt, np.square))
        axis.set(xlim=(0, 1), ylim=(0, top), xticks=(0, 0.5, 1), yticks=ticks)
    fakes = [style.key(look) for name, look in _LOOKS.items() if (data["images"] == name).any()]
    rules = [style.key(look, lw=0.9) for name, look in _RULES.items() if name == "0.5" or data["thresholds"].any()]
    style.legend(figure, [Patch(color="#CFCFCF", label=PHOTOGRAPHS), *fakes, *rules], columns=3)
    style.caption(figure, caption)
    return figure


def caption(board: Board, setting: Setting, data: pd.DataFrame) -> str:
    """What the histograms are, and what is not drawn."""
    return (
        f"Scores. {samples.words(setting)} Shares are means over generators and seeds; photographs are those beside "
        f"the fakes. Root scale.{samples.left_out(data, ('method', 'images'))} {board.sentence}"
    )
