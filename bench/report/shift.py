"""LPIPS of reals and fakes to their reconstructions, without and with captions: Figure 4 of SARE, and a table of Δ."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from tabulate import tabulate

from bench.report.board import Board
from bench.report.figures import save
from bench.results import shifts
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv

#: Colours of photographs and of fakes.
COLOURS = {"real": "#2b6ca3", "fake": "#b4473a"}
_COLUMNS = ("generator", "Δ without captions", "Δ with captions", "difference", "effect", "effect, captions")


def _interval(row: pd.Series, name: str) -> str:
    if pd.isna(row[f"{name}_low"]):
        return f"{row[name]:+.4f}"
    return f"{row[name]:+.4f} [{row[f'{name}_low']:+.4f}, {row[f'{name}_high']:+.4f}]"


def _effect(row: pd.Series) -> str:
    return f"d {row['effect']:+.2f}, AUC {100 * row['auc']:.1f}"


def _measured(board: Board) -> str:
    """At which size and by which network LPIPS is taken, if the results say it."""
    how = next((probe for probe in board.probes.values() if "long_side" in probe), None)
    if how is None:
        return ""
    return (
        f"LPIPS by {how['network']}, at the reconstruction's size: {how['long_side']} px on the longer side, "
        f"{how['steps']} steps of strength {how['strength']:g}. Images of another size are resized to it first, so a "
        "raw Δ also has what resizing does to images that differ in size. "
    )


def markdown(board: Board, dataset: str, protocol: str, measured: pd.DataFrame) -> str:
    """The Δ table of one dataset and protocol, as Markdown."""
    titles = {(c.dataset, c.subset): c.title for c in board.columns}
    body = []
    for subset, pair in measured.groupby("subset", sort=False):
        (_, plain), (_, captioned) = pair.iterrows()
        title = titles[dataset, str(subset)]
        if plain["reason"]:
            body.append([title, *["–"] * 4, plain["reason"]])
            continue
        deltas = [_interval(plain, "delta"), _interval(captioned, "delta"), _interval(captioned, "difference")]
        body.append([title, *deltas, _effect(plain), _effect(captioned)])
    caption = (
        f"Δ = mean LPIPS of reals − mean LPIPS of fakes to their own reconstructions, on {dataset}, {protocol}. "
        "95 % intervals by Welch's t; the difference keeps the images paired; d is Δ over the pooled standard "
        f"deviation; AUC is that of calling the nearer image fake. {_measured(board)}"
        f"{board.label[0].upper()}{board.label[1:]}."
    )
    return f"{caption}\n\n{tabulate(body, _COLUMNS, 'github', disable_numparse=True)}\n"


def bars(
    measured: pd.DataFrame, titles: Mapping[tuple[str, str], str], caption: str, quantity: str
) -> matplotlib.figure.Figure:
    """Draw the means of reals and fakes: one panel per condition, one pair of bars per generator.

    ``titles`` are those of the subsets; rows with a reason are left out.
    """
    known = measured[measured["reason"] == ""]
    count, conditions = known["subset"].nunique(), list(known["condition"].unique())
    width = 1.1 + 0.8 * count * len(conditions)
    figure = mpl.figure.Figure(figsize=(max(4.0, width), 3.4), layout="constrained")
    axes = figure.subplots(1, len(conditions), sharey=True, squeeze=False)[0]
    for axis, condition in zip(axes, conditions, strict=True):
        part = known[known["condition"] == condition]
        for offset, kind in ((-0.2, "real"), (0.2, "fake")):
            means = part[kind]
            spans = [means - part[f"{kind}_low"], part[f"{kind}_high"] - means]
            positions = [index + offset for index in range(count)]
            axis.bar(positions, means, 0.38, yerr=spans, color=COLOURS[kind], label=kind, capsize=2)
        names = [titles[key] for key in zip(part["dataset"], part["subset"], strict=True)]
        axis.set(title=condition, xticks=range(count), xticklabels=names)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("\n".join(textwrap.wrap(quantity, 34)), fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(caption, fontsize=9, color="#555555")
    return figure


def write_shift(board: Board, results: Results) -> tuple[list[str], list[Path]]:
    """Write the Δ tables and figures; returns table stems and PNG files, both empty if nothing was probed."""
    stems, written = [], []
    for (dataset, protocol), measured in shifts.compute(results).groupby(["dataset", "protocol"], sort=False):
        stem = f"{dataset}-{protocol}-lpips-shift"
        write_text(results.tables / f"{stem}.md", markdown(board, str(dataset), str(protocol), measured))
        write_text(results.tables / f"{stem}.csv", to_csv(measured))
        stems.append(stem)
        if (measured["reason"] == "").any():
            path = results.figures / f"{stem}.png"
            write_text(path.with_suffix(".csv"), to_csv(measured))
            titles = {(c.dataset, c.subset): c.title for c in board.columns}
            caption = f"{dataset}, {protocol}; {board.label}"
            save(bars(measured, titles, caption, "LPIPS to reconstruction"), path)
            written.append(path)
    return stems, written
