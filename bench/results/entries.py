"""A plan's cells, holes and probes as entries of a results folder's matrix."""

from __future__ import annotations

from bench.results.folder import Entry, ProbeEntry, Results
from bench.types import Cell, Hole, Probe


def entry_of_probe(probe: Probe, results: Results, reason: str) -> ProbeEntry:
    """The matrix entry of a probe; a non-empty ``reason`` means that it failed."""
    images = probe.slice
    values = "" if reason else results.probe_path(probe).relative_to(results.root).as_posix()
    return ProbeEntry(probe.name, images.dataset, images.subset, images.protocol, values, reason)


def entry_of(cell: Cell, results: Results, val: str) -> Entry:
    """The matrix entry of a scored cell; ``val`` is the file of its fit's validation scores."""
    fit = cell.fit
    return Entry(
        method=fit.method,
        variant=fit.variant,
        fit=fit.key,
        train=fit.source,
        train_protocol=fit.protocol,
        seed=fit.seed,
        task=fit.task,
        dataset=cell.test.dataset,
        subset=cell.test.subset,
        role=cell.test.role,
        protocol=cell.test.protocol,
        perturbation=cell.perturbation,
        relation=cell.relation,
        key=cell.key,
        scores=results.scores_path(cell).relative_to(results.root).as_posix(),
        val=val,
    )


def entry_of_hole(hole: Hole) -> Entry:
    """The matrix entry of a cell that cannot exist."""
    return Entry(
        method=hole.method,
        variant=hole.variant,
        fit="",
        train=hole.source,
        train_protocol=hole.train_protocol,
        seed=hole.seed,
        task=hole.task,
        dataset=hole.dataset,
        subset=hole.subset,
        role="test",
        protocol=hole.protocol,
        perturbation=hole.perturbation,
        relation=hole.relation,
        status="missing",
        reason=hole.reason,
    )
