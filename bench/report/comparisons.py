"""Pairs of methods: the difference of their AUC in every setting, with paired intervals."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.metrics import seeds
from bench.results import comparisons
from bench.results.folder import Results, write_text

_COLUMNS = ("one − other", "trained", "tested", "on", "Δ AUC", "corrected", "p", "p corrected", "interval of")
_NOTE = (
    "Difference of AUC in points, a mean over seeds, with its 95 % interval, paired by test image. p is two-sided. "
    "Corrected for all rows of this table: the interval by Bonferroni's method, p by Holm's, which finds a little "
    "more. The interval is of training and test images, or of the test images alone if a side has one seed."
)


def p_text(p: float) -> str:
    """A p-value with three decimals; a smaller one as a bound."""
    return "" if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(low: float, high: float) -> str:
    """The ends of a difference's interval in points, in brackets; nothing if they are missing."""
    ends = (f"{round(100 * end, 1) + 0.0:+.1f}" for end in (low, high))
    return "" if pd.isna(low) else f"[{', '.join(ends)}]"


def points(effect: float, low: float, high: float) -> str:
    """A difference in points with its interval; a dash if it is missing."""
    return "–" if pd.isna(effect) else f"{round(100 * effect, 1) + 0.0:+.1f} {interval(low, high)}".strip()


def _line(c: pd.Series) -> list[str]:
    """One comparison as a row of the printed table."""
    names = [f"{c['one']} − {c['other']}", f"{c['train']}, {c['train_protocol']}", f"{c['dataset']}, {c['protocol']}"]
    if pd.isna(c["effect"]):
        return [*names, c["subset"], "–", "", "", "", c["reason"]]
    effect = points(c["effect"], c["low"], c["high"])
    of = {seeds.BOTH: "training and test images", seeds.TEST: "test images"}.get(c["varies"], "too few images")
    more = interval(c["corrected_low"], c["corrected_high"])
    return [*names, c["subset"], effect, more, p_text(c["p"]), p_text(c["p_holm"]), of]


def table(compared: pd.DataFrame) -> str:
    """Comparisons as a Markdown table, with a note on how to read it."""
    lines = [_line(c) for _, c in compared[~comparisons.repeats(compared)].iterrows()]
    return f"{_NOTE}\n\n{tabulate(lines, _COLUMNS, 'github', disable_numparse=True)}\n"


def write_comparisons(results: Results, label: str) -> list[str]:
    """Write ``tables/comparisons.md``; returns its stem in a list, which is empty if nothing is compared."""
    if not results.comparisons.exists():
        return []
    compared = comparisons.read(results)
    compared = compared[comparisons.printed(compared)]
    if compared.empty:
        return []
    write_text(results.tables / "comparisons.md", f"{label[0].upper()}{label[1:]}. {table(compared)}")
    return ["comparisons"]
