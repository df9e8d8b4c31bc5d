"""Cells that a fact of the files solves as well: what is said wherever such cells are printed."""

from __future__ import annotations

from collections.abc import Mapping

from bench.metrics.shortcuts import LEAK
from bench.report.board import Board, Setting

#: Trivial baselines that use facts of the file, which ``aligned`` removes.
FILE_FACTS = ("container", "jpeg_quality", "image_size")


def solved(board: Board, setting: Setting) -> Mapping[str, tuple[str, float]]:
    """The subsets of a setting on which a file-fact baseline has an AUC of at least :data:`LEAK`: baseline and AUC.

    Its interval must lie above 0.5. With the 20 images per class that an interval needs at least, an AUC of 0.9 is
    also significant after correction for all cells of a table. Of several baselines, the one with the largest AUC.
    """
    found: dict[str, tuple[str, float]] = {}
    for name in (name for name in board.methods(setting, "statistic") if name in FILE_FACTS):
        for column in board.columns_of(setting):
            auc = board.value(setting, name, column.subset, "auc")
            if auc.value is None or auc.low is None or auc.value < LEAK or auc.low <= 0.5:
                continue
            if auc.value > found.get(column.subset, ("", 0.0))[1]:
                found[column.subset] = board.title(name), auc.value
    return found


def line(board: Board, setting: Setting) -> str:
    """One sentence on the subsets that a fact of the files solves; empty if there are none."""
    found, columns = solved(board, setting), board.columns_of(setting)
    if not found:
        return ""
    by_baseline: dict[str, list[str]] = {}
    for column in columns:
        if column.subset in found:
            by_baseline.setdefault(found[column.subset][0], []).append(column.title)
    parts = [
        f"{baseline} alone has an AUC of at least {100 * LEAK:.0f} on "
        f"{'all of them' if len(titles) == len(columns) else ', '.join(titles)}"
        for baseline, titles in by_baseline.items()
    ]
    return f"Shortcut: of the files' facts, {'; '.join(parts)}. A score there may be of the files, not of the images."
