"""Pairs of methods: the difference of their AUC by setting, with paired intervals."""

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
    """One comparison for people."""
    names = [f"{c['one']} − {c['other']}", f"{c['train']}, {c['train_protocol']}", f"{c['dataset']}, {c['protocol']}"]
    if pd.isna(c["effect"]):
        return [*names, c["subset"], "–", "", c["reason"]]
    spread = "" if pd.isna(c["seed_sd"]) else f"{100 * c['seed_sd']:.1f}"
    effect = f"{100 * c['effect']:+.1f} [{100 * c['low']:+.1f}, {100 * c['high']:+.1f}]"
    return [*names, c["subset"], effect, f"{c['p']:.3f}", spread]


def _without_repeats(found: pd.DataFrame) -> pd.DataFrame:
    """Without the mean over all subsets if all are out of family: it is the mean over those."""
    key = ["one", "other", *comparisons.SETTING, "effect", "low", "high"]
    out = found.loc[(found["subset"] == "mean:out") & found["effect"].notna(), key]
    repeated = pd.MultiIndex.from_frame(found[key]).isin(pd.MultiIndex.from_frame(out))
    return found[~(repeated & (found["subset"] == "mean:all"))]


def table(found: pd.DataFrame) -> str:
    """Comparisons as a table for people, with how to read it."""
    lines = [_line(c) for _, c in _without_repeats(found).iterrows()]
    return f"{_NOTE}\n\n{tabulate(lines, _COLUMNS, 'github', disable_numparse=True)}\n"


def write_comparisons(results: Results, label: str) -> list[str]:
    """Write ``tables/comparisons.md``; returns its stem, or nothing if nothing is compared."""
    if not results.comparisons.exists():
        return []
    found = comparisons.read(results)
    found = found[found["subset"].str.startswith("mean:") | (found["subset"] == found["train"])]
    if found.empty:
        return []
    write_text(results.tables / "comparisons.md", f"{label[0].upper()}{label[1:]}. {table(found)}")
    return ["comparisons"]
