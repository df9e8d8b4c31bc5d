"""LPIPS of reals and fakes to their reconstructions, without and with captions: Figure 4 of SARE, and a table of Δ."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from bench.report.board import Board
from bench.report.figures import write_figure
from bench.report.gaps import draw
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


def write_shift(board: Board, results: Results, figures: bool = True) -> tuple[list[str], list[Path]]:
    """Write the Δ tables and figures; returns table stems and PNG files, both empty if nothing was probed."""
    stems, written = [], []
    titles = {(c.dataset, c.subset): c.title for c in board.columns}
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
            written.append(
                write_figure(results, stem, measured, draw(measured, titles, caption, "LPIPS to the reconstruction"))
            )
    return stems, written
