"""A plan's cells, holes and probes as entries of a results folder's matrix."""

from __future__ import annotations

from bench.results.folder import Entry, ProbeEntry, Results
from bench.types import Cell, Hole, Probe


def entry_of_probe(probe: Probe, results: Results, reason: str) -> ProbeEntry:
    """The matrix entry of a probe; a non-empty ``reason`` means that it failed."""
    images = probe.slice
    values = "" if reason else results.probe_path(probe).relative_to(results.root).as_posix()
    return ProbeEntry(probe.name, images.dataset, images.subset, images.protocol, values, reason)


def entry_of(cell: Cell, results: Results, val: tuple[str, ...]) -> Entry:
    """The matrix entry of a scored cell; ``val`` are the files of its fit's validation scores."""
    scores = results.scores_path(cell).relative_to(results.root).as_posix()
    return Entry(**vars(cell.id), fit=cell.fit.key, key=cell.key, scores=scores, val=val)


def entry_of_hole(hole: Hole) -> Entry:
    """The matrix entry of a cell that cannot be computed."""
    return Entry(**vars(hole), status="missing")
