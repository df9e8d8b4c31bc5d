"""LPIPS of reals and fakes to their reconstructions, without and with captions: SARE's Figure 4, bars and Δ table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
from tabulate import tabulate

from bench.metrics.shift import Estimate, Shift
from bench.report.board import Board
from bench.report.figures import save
from bench.results.folder import Results, write_text
from bench.results.shifts import CONDITIONS, Line, lines, render

_COLOURS = {"real": "#2b6ca3", "fake": "#b4473a"}
_COLUMNS = ("generator", "Δ without captions", "Δ with captions", "difference", "effect", "effect, captions")


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"


def _effect(shift: Shift) -> str:
    return f"d {shift.effect:+.2f}, AUC {100 * shift.auc:.1f}"


def markdown(board: Board, dataset: str, protocol: str, found: Sequence[Line]) -> str:
    """The Δ table of one dataset and protocol."""
    titles = {(c.dataset, c.subset): c.title for c in board.columns}
    body = []
    for line in found:
        title = titles[line.dataset, line.subset]
        if line.plain is None or line.captioned is None or line.gain is None:
            body.append([title, *["–"] * 4, line.reason])
            continue
        deltas = [_interval(e) for e in (line.plain.delta, line.captioned.delta, line.gain)]
        body.append([title, *deltas, _effect(line.plain), _effect(line.captioned)])
    caption = (
        f"Δ = mean LPIPS of reals − mean LPIPS of fakes to their own reconstructions, on {dataset}, {protocol}. "
        "95 % bootstrap intervals; the difference keeps the images paired; d is Δ over the pooled standard deviation; "
        f"AUC that of calling the nearer one fake. {board.label[0].upper()}{board.label[1:]}."
    )
    return f"{caption}\n\n{tabulate(body, _COLUMNS, 'github', disable_numparse=True)}\n"


def draw(board: Board, found: Sequence[Line], caption: str) -> matplotlib.figure.Figure:
    """Mean LPIPS of reals and fakes, a panel a condition, a pair of bars a generator."""
    titles = {(c.dataset, c.subset): c.title for c in board.columns}
    known = [line for line in found if line.plain is not None and line.captioned is not None]
    figure = mpl.figure.Figure(figsize=(2.2 + 1.6 * len(known), 3.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, condition in zip(axes, CONDITIONS, strict=True):
        for offset, kind in ((-0.2, "real"), (0.2, "fake")):
            shifts = [line.plain if condition == CONDITIONS[0] else line.captioned for line in known]
            means = [getattr(shift, kind) for shift in shifts]
            spans = [[m.value - m.low for m in means], [m.high - m.value for m in means]]
            places = [index + offset for index in range(len(known))]
            axis.bar(places, [m.value for m in means], 0.38, yerr=spans, color=_COLOURS[kind], label=kind, capsize=2)
        names = [titles[line.dataset, line.subset] for line in known]
        axis.set(title=condition, xticks=range(len(known)), xticklabels=names)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("LPIPS to reconstruction")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(caption, fontsize=9, color="#555555")
    return figure


def write_shift(board: Board, results: Results) -> tuple[list[str], list[Path]]:
    """Write the Δ tables and figures; returns table stems and PNG files. Nothing where nothing was probed."""
    every, stems, made = lines(results), [], []
    for dataset, protocol in dict.fromkeys((line.dataset, line.protocol) for line in every):
        found = [line for line in every if (line.dataset, line.protocol) == (dataset, protocol)]
        stem = f"{dataset}-{protocol}-lpips-shift"
        write_text(results.tables / f"{stem}.md", markdown(board, dataset, protocol, found))
        write_text(results.tables / f"{stem}.csv", render(found))
        stems.append(stem)
        if any(line.plain is not None for line in found):
            path = results.figures / f"{stem}.png"
            write_text(path.with_suffix(".csv"), render(found))
            save(draw(board, found, f"{dataset}, {protocol}; {board.label}"), path)
            made.append(path)
    return stems, made
