"""Robustness: AUC against the strength of a perturbation of the test images, one line per detector."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd

from bench.report import samples, style
from bench.report.board import Board, Setting
from bench.report.figures import write_figure
from bench.results.folder import Results

#: A perturbation with its strength, as ``jpeg75``.
_STRENGTH = re.compile(r"([a-z_]+?)(\d+(?:\.\d+)?)")
#: Of these a smaller number is the stronger perturbation; what the number is.
_DOWN = {
    "jpeg": "JPEG quality",
    "webp": "WebP quality",
    "resize": "reduced to percent",
    "crop": "percent of each side",
    "screenshot": "zoom in percent",
    "limit": "longer side, pixels",
}
#: Of these a larger number is the stronger one.
_UP = {"blur": "blur, σ in pixels", "noise": "noise, σ in 8-bit values"}
NONE = "none"
_PANELS = ("source", "out")
COLUMNS = ("panel", "method", "label", "strength", "auc", "low", "high", "seeds", "reason")


def groups(board: Board) -> dict[tuple[Setting, str], list[Setting]]:
    """The perturbed settings by their unperturbed setting and the perturbation's name, the weakest first."""
    found: dict[tuple[Setting, str], list[Setting]] = defaultdict(list)
    for setting in board.settings:
        match = _STRENGTH.fullmatch(setting.perturbation)
        if match:
            found[setting._replace(perturbation=NONE), match[1]].append(setting)
    for (_, name), members in found.items():
        members.sort(key=lambda s: float(s.perturbation.removeprefix(name)), reverse=name in _DOWN)
    return dict(found)


def points(board: Board, plain: Setting, name: str, perturbed: list[Setting]) -> pd.DataFrame:
    """AUC of every detector by strength, on the training generator and as mean out of family, with 95 % intervals.

    The first strength is ``none``, if the folder has unperturbed cells. A hole has a ``reason``.
    """
    looks, rows = style.detectors(board), []
    shown = samples.labels(board, perturbed[0])
    for panel in _PANELS:
        subset = samples.subset(plain, panel)
        # A folder may have only the perturbed cells, or a dataset no images of the training generator.
        for setting in (s for s in (plain, *perturbed) if board.has(s, subset)):
            for label in shown:
                value = board.value(setting, label, subset, "auc")
                strength = setting.perturbation.removeprefix(name)
                head = {"panel": panel, "method": looks[label].title, "label": label, "strength": strength}
                numbers = {"auc": value.value, "low": value.low, "high": value.high, "seeds": value.seeds}
                rows.append(head | numbers | {"reason": value.reason})
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(("auc", "low", "high"), "float64")).round(4)


@mpl.rc_context(style.TEXT)
def draw(board: Board, data: pd.DataFrame, name: str, caption: str) -> mpl.figure.Figure:
    """Draw :func:`points`: strengths are evenly spaced, and detectors stand a little beside each other."""
    looks, shown = style.detectors(board), list(data["label"].unique())
    panels, strengths = list(data["panel"].unique()), list(data["strength"].unique())
    figure, axes = style.panels(len(panels), {**_DOWN, **_UP}.get(name, name), "AUC", height=2.6, across=2)
    for axis, panel in zip(axes, panels, strict=True):
        for place, label in enumerate(shown):
            look, line = looks[label], data[(data["panel"] == panel) & (data["label"] == label)]
            beside = 0.6 * ((place + 0.5) / len(shown) - 0.5)
            where = np.asarray([strengths.index(s) for s in line["strength"]], np.float64) + beside
            axis.plot(where, line["auc"], color=look.colour, ls=look.line, marker=look.marker, ms=3.5, lw=0.9)
            axis.vlines(where, line["low"], line["high"], color=look.colour, lw=0.9, alpha=0.6)
        axis.axhline(0.5, color=style.FAINT, lw=0.6)
        axis.set(title=style.RELATIONS[panel].title, xticks=range(len(strengths)), xticklabels=strengths)
        axis.set_xlim(-0.5, len(strengths) - 0.5)
    handles = [style.key(looks[label], marker=looks[label].marker, ms=4) for label in shown]
    style.legend(figure, handles, columns=4 if len(panels) > 1 else 2)
    style.caption(figure, caption)
    return figure


def write_robustness(board: Board, results: Results) -> list[Path]:
    """Write the curves of every perturbation that has a strength; returns the PNG files, none without such cells."""
    written = []
    for (plain, name), perturbed in groups(board).items():
        data = points(board, plain, name, perturbed)
        if data["auc"].notna().any():
            holes = data[data["auc"].isna()]
            caption = (
                f"Robustness. {samples.words(plain)} Test images of both classes after {name}, the "
                f"weakest first; 95 % intervals.{samples.left_out(holes, ('method', 'panel'))} {board.sentence}"
            )
            figure = draw(board, data, name, caption)
            written.append(write_figure(results, f"{plain.slug}-{name}-robustness", data, figure))
    return written
