"""Figures: their data are written as CSV first, then drawn."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from PIL import Image

from bench.report.board import KINDS, Board, Setting, file_name
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv

_PROTOCOLS = (("raw", "raw"), ("raw", "aligned"), ("aligned", "aligned"))
_COLOURS = ("#b4473a", "#d9a441", "#2b6ca3")


def protocol_points(board: Board, train: str, dataset: str) -> pd.DataFrame:
    """AUC of every method under each pair of protocols, on the training generator and outside its family."""
    panels = {train: "training generator", "mean:out": "out of family"}
    parts = []
    for train_protocol, protocol in _PROTOCOLS:
        cells = board.cells(Setting(train, train_protocol, dataset, protocol, "none"), list(panels), "auc")
        parts.append(cells.assign(panel=cells["subset"].map(panels), protocols=f"{train_protocol} → {protocol}"))
    points = pd.concat(parts, ignore_index=True).rename(columns={"value": "auc"})
    has_values = points.groupby("panel")["auc"].transform("count") > 0  # A dataset may lack the training generator.
    return points.loc[has_values, ["panel", "method", "kind", "protocols", "auc", "low", "high"]]


def draw(points: pd.DataFrame, caption: str) -> matplotlib.figure.Figure:
    """Draw AUC with intervals: one row per method, trivial baselines last, and one colour per pair of protocols."""
    panels, pairs = list(points["panel"].unique()), list(points["protocols"].unique())
    methods = list(
        points.sort_values("kind", key=lambda kinds: kinds.map(KINDS.index), kind="stable")["method"].unique()
    )
    figure = mpl.figure.Figure(figsize=(max(6.4, 4.6 * len(panels)), 1.3 + 0.42 * len(methods)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        for p in points[points["panel"] == panel].dropna(subset=["auc", "low", "high"]).itertuples():
            row = methods.index(p.method) + 0.22 * (pairs.index(p.protocols) - (len(pairs) - 1) / 2)
            colour = _COLOURS[pairs.index(p.protocols)]
            axis.plot([p.low, p.high], [row, row], color=colour, lw=1.6, alpha=0.6)
            axis.plot(p.auc, row, "o", color=colour, ms=5, label=p.protocols)
        axis.axvline(0.5, color="#888888", lw=0.8, ls=":")
        axis.set(title=panel, xlabel="AUC", xlim=(0, 1.02), yticks=range(len(methods)), yticklabels=methods)
        axis.set_ylim(len(methods) - 0.5, -0.5)
        axis.spines[["top", "right"]].set_visible(False)
    lines = [line for axis in axes for line in axis.get_lines()]
    handles = {h.get_label(): h for h in lines if not str(h.get_label()).startswith("_")}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(caption, fontsize=9, color="#555555")
    return figure


def write_figures(board: Board, results: Results) -> list[Path]:
    """Write every figure with its data; returns the PNG files."""
    written = []
    for train, dataset in sorted({(s.train, s.dataset) for s in board.settings}):
        points = protocol_points(board, train, dataset)
        if points.empty:
            continue
        path = results.figures / f"{dataset}-{file_name(train)}-protocols.png"
        write_text(path.with_suffix(".csv"), to_csv(points))
        caption = f"trained on {train}, tested on {dataset}; 95 % intervals\n{board.label}"
        save(draw(points, caption), path)
        written.append(path)
    return written


def save(figure: matplotlib.figure.Figure, path: Path, photographs: bool = False) -> None:
    """Write a figure as PNG and SVG without dates, so that the same figure gives the same bytes.

    One with ``photographs`` keeps all its colours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "bench"}):
        figure.savefig(buffer, dpi=130, format="png")
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    if photographs:
        path.write_bytes(buffer.getvalue())
        return
    # A PNG with a palette takes a third of the space, and boards are committed.
    palette = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(path, "PNG", optimize=True)
