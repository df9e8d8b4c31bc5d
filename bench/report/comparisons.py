"""Pairs of methods: the difference of their AUC by setting, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from bench.metrics.paired import FLOOR, Verdict
from bench.results import comparisons
from bench.results.comparisons import Comparison
from bench.results.folder import Results, write_text

_COLUMNS = ("one − other", "trained", "tested", "on", "Δ AUC", "p", "sd among seeds")
_NOTE = (
    "Difference of AUC in points, a mean over seeds. 95 % intervals and two-sided p by a bootstrap of the test images "
    f"that both methods share, so no p is below {FLOOR:.3f}; it does not resample seeds: their deviation stands beside."
)


def _effect(verdict: Verdict) -> str:
    """A difference in points with its interval."""
    return f"{100 * verdict.effect:+.1f} [{100 * verdict.low:+.1f}, {100 * verdict.high:+.1f}]"


def _line(c: Comparison) -> list[str]:
    """One line of a table for people."""
    train, train_protocol, dataset, protocol = c.place
    place = [f"{c.one} − {c.other}", f"{train}, {train_protocol}", f"{dataset}, {protocol}", c.subset]
    if c.verdict is None:
        return [*place, "–", "", c.reason]
    spread = "" if c.verdict.seed_sd is None else f"{100 * c.verdict.seed_sd:.1f}"
    return [*place, _effect(c.verdict), f"{c.verdict.p:.3f}", spread]


def _once(found: Sequence[Comparison]) -> list[Comparison]:
    """Without the mean over all subsets where all are out of family, which is the mean over those."""
    out = {(c.one, c.other, c.place): c.verdict for c in found if c.subset == "mean:out" and c.verdict}
    return [c for c in found if c.subset != "mean:all" or c.verdict != out.get((c.one, c.other, c.place), "")]


def table(found: Sequence[Comparison]) -> str:
    """Comparisons as a table for people, with how to read it."""
    return f"{_NOTE}\n\n{tabulate([_line(c) for c in _once(found)], _COLUMNS, 'github', disable_numparse=True)}\n"


def write_comparisons(results: Results, label: str) -> list[str]:
    """Write ``tables/comparisons.md``; returns its stem, or nothing where nothing is compared."""
    found = [c for c in comparisons.read(results) if c.subset.startswith("mean:") or c.subset == c.place[0]]
    if not found:
        return []
    write_text(results.tables / "comparisons.md", f"{label[0].upper()}{label[1:]}. {table(found)}")
    return ["comparisons"]
