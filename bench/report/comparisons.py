"""Pairs of methods: the difference of their AUC in every setting, with paired intervals."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from bench.metrics.paired import FLOOR
from bench.results import comparisons
from bench.results.folder import Results, write_text

_COLUMNS = ("one − other", "trained", "tested", "on", "Δ AUC", "p", "sd among seeds")
_NOTE = (
    "Difference of AUC in points, a mean over seeds. 95 % intervals and two-sided p by a bootstrap of the test images "
    f"that both methods share, so no p is below {FLOOR:.3f}; seeds are not resampled, their deviation is given."
)


def _line(c: pd.Series) -> list[str]:
    """One comparison as a row of the printed table."""
    names = [f"{c['one']} − {c['other']}", f"{c['train']}, {c['train_protocol']}", f"{c['dataset']}, {c['protocol']}"]
    if pd.isna(c["effect"]):
        return [*names, c["subset"], "–", "", c["reason"]]
    spread = "" if pd.isna(c["seed_sd"]) else f"{100 * c['seed_sd']:.1f}"
    effect = f"{100 * c['effect']:+.1f} [{100 * c['low']:+.1f}, {100 * c['high']:+.1f}]"
    return [*names, c["subset"], effect, f"{c['p']:.3f}", spread]


def _without_repeats(compared: pd.DataFrame) -> pd.DataFrame:
    """Drop the mean over all subsets if all are out of family: it equals the mean over those."""
    key = ["one", "other", *comparisons.SETTING, "effect", "low", "high"]
    out = compared.loc[(compared["subset"] == "mean:out") & compared["effect"].notna(), key]
    repeated = pd.MultiIndex.from_frame(compared[key]).isin(pd.MultiIndex.from_frame(out))
    return compared[~(repeated & (compared["subset"] == "mean:all"))]


def table(compared: pd.DataFrame) -> str:
    """Comparisons as a Markdown table, with a note on how to read it."""
    lines = [_line(c) for _, c in _without_repeats(compared).iterrows()]
    return f"{_NOTE}\n\n{tabulate(lines, _COLUMNS, 'github', disable_numparse=True)}\n"


def write_comparisons(results: Results, label: str) -> list[str]:
    """Write ``tables/comparisons.md``; returns its stem in a list, which is empty if nothing is compared."""
    if not results.comparisons.exists():
        return []
    compared = comparisons.read(results)
    compared = compared[compared["subset"].str.startswith("mean:") | (compared["subset"] == compared["train"])]
    if compared.empty:
        return []
    write_text(results.tables / "comparisons.md", f"{label[0].upper()}{label[1:]}. {table(compared)}")
    return ["comparisons"]
