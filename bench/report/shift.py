"""LPIPS of reals and fakes to their reconstructions, without and with captions: Figure 4 of SARE, and a table of Δ."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from tabulate import tabulate

from bench.report import style
from bench.report.board import Board
from bench.report.figures import write_figure
from bench.results import shifts
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv

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
        f"deviation; AUC is that of calling the nearer image fake. {_measured(board)}{board.sentence}"
    )
    return f"{caption}\n\n{tabulate(body, _COLUMNS, 'github', disable_numparse=True)}\n"


def _distances(axis: Axes, part: pd.DataFrame) -> None:
    """Mean distances of both classes in one condition, with their intervals."""
    rows = np.arange(len(part))
    for offset, name in ((-0.15, "real"), (0.15, "fake")):
        look = style.CLASSES[name]
        axis.hlines(rows + offset, part[f"{name}_low"], part[f"{name}_high"], color=look.colour, lw=1.4)
        axis.plot(part[name], rows + offset, look.marker, color=look.colour, ms=4)
    axis.set_xscale("log")
    axis.set(title=str(part["condition"].iloc[0]), xlabel="LPIPS to the reconstruction (log scale)")


def _linear(deltas: pd.Series) -> float:
    """Within how much of zero the scale of Δ is linear: a power of ten near the smaller gaps."""
    sizes = deltas.abs()[deltas != 0]
    return float(10.0 ** np.floor(np.log10(sizes.median()))) if len(sizes) else 1.0


def _gaps(axis: Axes, known: pd.DataFrame) -> None:
    """Δ in both conditions with its interval, on a scale on which small and large gaps can be read."""
    linear = _linear(known["delta"])
    for offset, (condition, look) in zip((-0.15, 0.15), style.CONDITIONS.items(), strict=True):
        part = known[known["condition"] == condition]
        rows = np.arange(len(part)) + offset
        axis.hlines(rows, part["delta_low"], part["delta_high"], color=look.colour, lw=1.4)
        axis.plot(part["delta"], rows, look.marker, color=look.colour, ms=4)
    axis.axvline(0, color=style.GREY, lw=0.7)
    axis.set_xscale("symlog", linthresh=linear, linscale=0.7)
    ends = known[["delta", "delta_low", "delta_high"]]
    scale = axis.xaxis.get_transform()
    low, high = scale.transform(np.asarray([min(ends.min().min(), 0.0), max(ends.max().max(), 0.0)]))
    low, high = scale.inverted().transform(np.asarray([low, high]) + np.asarray([-0.06, 0.06]) * (high - low))
    axis.set_xlim(low, high)
    for steps in ((1,), (1, 5)):
        sizes = [sign * linear * step * 10.0**power for power in range(6) for step in steps for sign in (-1, 1)]
        shown = sorted(tick for tick in (0.0, *sizes) if low <= tick <= high)
        if len(shown) > 3:
            break  # Only a scale of less than a decade needs ticks between the powers of ten.
    axis.set_xticks(shown, [f"{tick:g}".replace("-", "−") for tick in shown])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set(title="Δ = photographs − fakes", xlabel=f"Δ (linear within ±{linear:g}, log beyond)")


@mpl.rc_context(style.TEXT)
def draw(board: Board, measured: pd.DataFrame, caption: str) -> mpl.figure.Figure:
    """Draw mean LPIPS of photographs and fakes in each condition, and beside them Δ; one row per generator."""
    titles = {(c.dataset, c.subset): c.title for c in board.columns}
    known = measured[measured["reason"] == ""]
    count = known["subset"].nunique()
    figure = mpl.figure.Figure(figsize=(style.WIDTH, 0.95 + 0.24 * count), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    axes[1].sharex(axes[0])
    for axis, condition in zip(axes, shifts.CONDITIONS.values(), strict=False):
        part = known[known["condition"] == condition]
        _distances(axis, part)
        names = [titles[key] for key in zip(part["dataset"], part["subset"], strict=True)]
    axes[0].set(yticks=range(count), yticklabels=names, ylim=(count - 0.5, -0.5))
    _gaps(axes[2], known)
    style.log_ticks(axes[0])
    for axis in axes:
        for row in range(1, count, 2):
            axis.axhspan(row - 0.5, row + 0.5, color="#F2F2F2", zorder=0)
    looks = [*style.CLASSES.values(), *style.CONDITIONS.values()]
    style.legend(figure, [style.key(look, marker=look.marker, ms=4) for look in looks])
    style.caption(figure, caption)
    return figure


def write_shift(board: Board, results: Results, figures: bool = True) -> tuple[list[str], list[Path]]:
    """Write the Δ tables and figures; returns table stems and PNG files, both empty if nothing was probed."""
    stems, written = [], []
    for (dataset, protocol), measured in shifts.compute(results).groupby(["dataset", "protocol"], sort=False):
        stem = f"{dataset}-{protocol}-lpips-shift"
        write_text(results.tables / f"{stem}.md", markdown(board, str(dataset), str(protocol), measured))
        write_text(results.tables / f"{stem}.csv", to_csv(measured))
        stems.append(stem)
        if figures and (measured["reason"] == "").any():
            holes = measured[measured["reason"] != ""]
            named = "; ".join(
                f"{subset} ({reason})" for subset, reason in holes[["subset", "reason"]].drop_duplicates().values
            )
            caption = (
                f"LPIPS to the reconstruction on {dataset}, {protocol}; 95 % intervals."
                f"{f' Not drawn: {named}.' if named else ''} {board.sentence}"
            )
            written.append(write_figure(results, stem, measured, draw(board, measured, caption)))
    return stems, written
