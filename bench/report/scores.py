"""The figures that are drawn from per-image scores: ROC curves, histograms of scores, reliability diagrams."""

from __future__ import annotations

from pathlib import Path

from bench.report import calibration, histograms, roc, samples
from bench.report.board import Board
from bench.report.figures import write_figure
from bench.results.folder import Results


def write_scores(board: Board, results: Results) -> list[Path]:
    """Write these figures for every setting under one protocol; returns the PNG files.

    A figure without anything to draw is left out, as in a folder without per-image scores.
    """
    written = []
    for setting in samples.settings(board):
        parts = samples.parts(board, results, setting)
        curves, shares, bins = (
            roc.curves(board, setting, parts),
            histograms.shares(parts),
            calibration.bins(board, setting, parts),
        )
        for name, module, data in (
            ("roc", roc, curves),
            ("scores", histograms, shares),
            ("calibration", calibration, bins),
        ):
            if (data["reason"] == "").any():
                figure = module.draw(data, module.caption(board, setting, data))
                written.append(write_figure(results, f"{setting.slug}-{name}", data, figure))
    return written
