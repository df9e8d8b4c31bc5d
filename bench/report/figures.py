"""Figures: their data are written as CSV first, then drawn."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from PIL import Image

from bench.report import style
from bench.report.board import KINDS, Board, Setting, file_name
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv

#: Pixels per inch of the PNG files.
_DPI = 140


def protocol_points(board: Board, train: str, dataset: str) -> pd.DataFrame:
    """AUC of every method under each pair of protocols, on the training generator and outside its family."""
    panels = {train: "training generator", "mean:out": "out of family"}
    parts = []
    for (train_protocol, protocol), look in style.PROTOCOLS.items():
        cells = board.cells(Setting(train, train_protocol, dataset, protocol, "none"), list(panels), "auc")
        parts.append(cells.assign(panel=cells["subset"].map(panels), protocols=look.title))
    points = pd.concat(parts, ignore_index=True).rename(columns={"value": "auc"})
    has_values = points.groupby("panel")["auc"].transform("count") > 0  # A dataset may lack the training generator.
    return points.loc[has_values, ["panel", "method", "kind", "protocols", "auc", "low", "high"]]


@mpl.rc_context(style.TEXT)
def draw(points: pd.DataFrame, caption: str) -> matplotlib.figure.Figure:
    """Draw AUC with intervals: one row per method, trivial baselines last, and one colour per pair of protocols."""
    panels, pairs = list(points["panel"].unique()), list(points["protocols"].unique())
    looks = [look for look in style.PROTOCOLS.values() if look.title in pairs]
    methods = list(
        points.sort_values("kind", key=lambda kinds: kinds.map(KINDS.index), kind="stable")["method"].unique()
    )
    width = style.WIDTH if len(panels) > 1 else 4.2
    figure = mpl.figure.Figure(figsize=(width, 0.8 + 0.27 * len(methods)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        for p in points[points["panel"] == panel].dropna(subset="auc").itertuples():
            look = looks[pairs.index(p.protocols)]
            row = methods.index(p.method) + 0.24 * (pairs.index(p.protocols) - (len(pairs) - 1) / 2)
            axis.plot([p.low, p.high], [row, row], color=look.colour, lw=1.1, alpha=0.6)
            axis.plot(p.auc, row, look.marker, color=look.colour, ms=3.2)
        axis.axvline(0.5, color=style.GREY, lw=0.7, ls=":")
        axis.set(title=panel, xlabel="AUC", xlim=(0, 1.02), yticks=range(len(methods)), yticklabels=methods)
        axis.set_ylim(len(methods) - 0.5, -0.5)
    style.legend(figure, [style.key(look, marker=look.marker, ms=4) for look in looks])
    style.caption(figure, caption)
    return figure


def write_figures(board: Board, results: Results) -> list[Path]:
    """Write every figure with its data; returns the PNG files."""
    written = []
    for train, dataset in sorted({(s.train, s.dataset) for s in board.settings}):
        points = protocol_points(board, train, dataset)
        if points.empty:
            continue
        caption = f"Trained on {train}, tested on {dataset}; 95 % intervals. {board.sentence}"
        stem = f"{dataset}-{file_name(train)}-protocols"
        written.append(write_figure(results, stem, points, draw(points, caption)))
    return written


def write_figure(results: Results, stem: str, data: pd.DataFrame, figure: matplotlib.figure.Figure) -> Path:
    """Write a figure with its data as CSV beside it; returns the PNG file."""
    path = results.figures / f"{stem}.png"
    write_text(path.with_suffix(".csv"), to_csv(data))
    save(figure, path)
    return path


def save(figure: matplotlib.figure.Figure, path: Path, photographs: bool = False) -> None:
    """Write a figure as PNG and SVG without dates, so that the same figure gives the same bytes.

    One with ``photographs`` keeps all its colours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "bench"}):
        figure.savefig(buffer, dpi=_DPI, format="png")
        figure.set_layout_engine("none")  # The places that were found for the PNG are those of the SVG.
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    if photographs:
        path.write_bytes(buffer.getvalue())
        return
    # A PNG with a palette takes a third of the space, and boards are committed.
    palette = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(path, "PNG", optimize=True)
