"""All tables of a results folder that follow from its matrix and per-image scores: written, and computed to verify."""

from __future__ import annotations

from pathlib import Path

from bench.results import comparisons, controls, protocols, thresholds
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv
from bench.results.measure import measure


def texts(results: Results) -> dict[Path, str]:
    """The text of every table, by its path; those of :func:`_optional` only if they have rows."""
    measured = measure(results)
    found = measured.texts(results)
    found[results.comparisons] = to_csv(comparisons.compute(results))
    beside = {results.protocols: protocols.compute(results)}
    beside[results.controls] = controls.compute(results, measured.summary)
    found |= {path: to_csv(table) for path, table in beside.items() if len(table)}
    found[results.thresholds] = to_csv(thresholds.compute(results))
    return found


def _optional(results: Results) -> tuple[Path, ...]:
    """The tables that not every folder has."""
    return results.protocols, results.controls, results.trivial


def write(results: Results) -> None:
    """Write every table; one that an earlier run wrote and that has no rows now is deleted."""
    found = texts(results)
    for path in _optional(results):
        path.unlink(missing_ok=True)
    for path, text in found.items():
        write_text(path, text)
