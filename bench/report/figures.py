"""Figures: data first as CSV, drawing as a thin last step."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
from PIL import Image

from bench.report.board import Board, Setting, Value
from bench.results.folder import Results, write_text

_PROTOCOLS = (("raw", "raw"), ("raw", "aligned"), ("aligned", "aligned"))
_COLOURS = ("#b4473a", "#d9a441", "#2b6ca3")


@dataclass(frozen=True)
class Point:
    """One mark: panel (a group of generators), method, protocol pair, value with interval."""

    panel: str
    method: str
    kind: str
    protocols: str
    value: Value


def protocol_points(board: Board, train: str, dataset: str) -> list[Point]:
    """AUC of every method under each pair of protocols, on the training generator and outside its family."""
    found = []
    for train_protocol, protocol in _PROTOCOLS:
        setting = Setting(train, train_protocol, dataset, protocol, "none")
        for kind in ("detector", "statistic"):
            for method in board.methods(setting, kind):
                for panel, subset in (("training generator", train), ("out of family", "mean:out")):
                    value = board.value(setting, method, subset, "auc")
                    found.append(Point(panel, board.title(method), kind, f"{train_protocol} → {protocol}", value))
    return found


def csv_text(points: list[Point]) -> str:
    """The data of the figure."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["panel", "method", "kind", "protocols", "auc", "low", "high"])
    for p in points:
        numbers = ["" if x is None else format(x, ".9g") for x in (p.value.value, p.value.low, p.value.high)]
        writer.writerow([p.panel, p.method, p.kind, p.protocols, *numbers])
    return buffer.getvalue()


def draw(points: list[Point], caption: str) -> matplotlib.figure.Figure:
    """AUC with intervals, one line a method and one colour a pair of protocols; detectors above trivial baselines."""
    panels = list(dict.fromkeys(p.panel for p in points))
    methods = list(dict.fromkeys(p.method for p in sorted(points, key=lambda p: p.kind)))
    pairs = list(dict.fromkeys(p.protocols for p in points))
    figure = mpl.figure.Figure(figsize=(max(6.4, 4.6 * len(panels)), 1.3 + 0.42 * len(methods)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        for p in points:
            if p.panel != panel or p.value.value is None or p.value.low is None or p.value.high is None:
                continue
            row = methods.index(p.method) + 0.22 * (pairs.index(p.protocols) - (len(pairs) - 1) / 2)
            colour = _COLOURS[pairs.index(p.protocols)]
            axis.plot([p.value.low, p.value.high], [row, row], color=colour, lw=1.6, alpha=0.6)
            axis.plot(p.value.value, row, "o", color=colour, ms=5, label=p.protocols)
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
    made = []
    for train, dataset in sorted({(s.train, s.dataset) for s in board.settings}):
        points = protocol_points(board, train, dataset)
        filled = {p.panel for p in points if p.value.value is not None}  # A dataset need not hold the generator.
        points = [p for p in points if p.panel in filled]
        if not points:
            continue
        path = results.figures / f"{dataset}-{train}-protocols.png"
        write_text(path.with_suffix(".csv"), csv_text(points))
        figure = draw(
            points, f"trained on {train}, tested on {dataset}; 95 % intervals of the test images\n{board.label}"
        )
        save(figure, path)
        made.append(path)
    return made


def save(figure: matplotlib.figure.Figure, path: Path) -> None:
    """Write a figure as PNG and SVG, without dates: the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "bench"}):
        figure.savefig(drawn, dpi=130, format="png")
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    # A palette takes a third of the room, and a board keeps its figures.
    few = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, "PNG", optimize=True)
