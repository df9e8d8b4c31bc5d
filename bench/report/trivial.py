"""``tables/trivial.md``: which detectors beat every trivial baseline, and the line of the leaderboard about it."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.metrics.ranking import ALPHA
from bench.report.board import Board, Setting, of_setting
from bench.report.comparisons import p_text, points
from bench.results.folder import Results, write_text

_NOTE = (
    "Is a detector better than every trivial baseline, a single fact or number of an image? Mean AUC out of family of "
    "the detector minus that of the baseline that it is least surely better than, in points with 95 % intervals that "
    "are paired by test image. p is two-sided, 1 if the detector is not above the baseline, and corrected by Holm's "
    "method for all detectors of a setting. A detector that is not better has learned the dataset, not the task."
)
_NAMED = 3


def line(board: Board, setting: Setting) -> str:
    """How many detectors of a setting are better than every trivial baseline; empty if none was compared."""
    found = of_setting(board.trivial, setting)
    if found.empty:
        return ""
    better = found[found["p_holm"] < ALPHA].sort_values("effect", ascending=False, kind="stable")
    named = [board.title(label) for label in better["detector"][:_NAMED]]
    more = f" and {len(better) - _NAMED} more" if len(better) > _NAMED else ""
    who = f"{len(better)} of {len(found)} ({', '.join(named)}{more})" if named else f"none of {len(found)}"
    return f"Significantly better than every trivial baseline: {who}."


def _section(board: Board, found: pd.DataFrame) -> str:
    lines = [
        [
            board.title(row["detector"]),
            board.title(row["baseline"]),
            points(row["effect"], row["low"], row["high"]),
            p_text(row["p"]),
            p_text(row["p_holm"]),
        ]
        for _, row in found.sort_values("effect", ascending=False, kind="stable").iterrows()
    ]
    heads = ["Detector", "hardest baseline", "Δ AUC", "p", "p corrected"]
    return str(tabulate(lines, heads, "github", disable_numparse=True))


def write_trivial(board: Board, results: Results) -> list[str]:
    """Write the table; returns its stem in a list, which is empty if there is nothing to compare."""
    text = ""
    for setting in board.settings:
        found = of_setting(board.trivial, setting)
        if len(found):
            where = f"{setting.dataset}; trained on {setting.train}, {setting.train_protocol} → {setting.protocol}"
            text += f"\n**{where}**\n\n{line(board, setting)}\n\n{_section(board, found)}\n"
    if not text:
        return []
    write_text(results.tables / "trivial.md", f"{board.sentence} {_NOTE}\n{text}")
    return ["trivial"]
