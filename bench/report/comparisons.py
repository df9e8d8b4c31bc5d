"""Pairs of methods: the difference of their AUC in every setting, with paired intervals."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.metrics import seeds
from bench.results import comparisons
from bench.results.folder import Results, write_text

_COLUMNS = ("one − other", "trained", "tested", "on", "Δ AUC", "p", "p corrected", "interval of")
_NOTE = (
    "Difference of AUC in points, a mean over seeds, with its 95 % interval, paired by test image. p is two-sided; "
    "p corrected is Holm's for all rows of this table. The interval is of training and test images, or of the test "
    "images alone if a side has one seed."
)


def p_text(p: float) -> str:
    """A p-value with three decimals; a smaller one as a bound."""
    return "" if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _line(c: pd.Series) -> list[str]:
    """One comparison as a row of the printed table."""
    names = [f"{c['one']} − {c['other']}", f"{c['train']}, {c['train_protocol']}", f"{c['dataset']}, {c['protocol']}"]
    if pd.isna(c["effect"]):
        return [*names, c["subset"], "–", "", "", c["reason"]]
    effect = f"{100 * c['effect']:+.1f}"
    if pd.notna(c["low"]):
        effect += f" [{100 * c['low']:+.1f}, {100 * c['high']:+.1f}]"
    of = {seeds.BOTH: "training and test images", seeds.TEST: "test images"}.get(c["varies"], "too few images")
    return [*names, c["subset"], effect, p_text(c["p"]), p_text(c["p_holm"]), of]


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
