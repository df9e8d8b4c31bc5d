"""Carry out a plan: artefacts, fits, scores, rows. Importing this module imports torch."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bench.device import Processes
from bench.execution import pool, probing
from bench.execution.provenance import record
from bench.execution.session import Session
from bench.planning.matrix import detectors
from bench.planning.request import Request
from bench.types import Plan


def prepare(plan: Plan, session: Session, processes: Processes, cluster: str | None = None) -> None:
    """Make the missing artefacts of a plan."""
    pool.execute(replace(plan, fits=(), cells=()), {}, session, processes, cluster)


def carry_out_part(
    plan: Plan, request: Request, session: Session, processes: Processes, cluster: str | None = None
) -> None:
    """Make artefacts, train fits, score cells and measure probes of part of a plan; the results folder gets no tables.

    Other parts may be computed at the same time, by runs that share the store and the results folder.
    """
    pool.execute(plan, detectors(request), session, processes, cluster)
    probing.write_probes(plan, session)


def carry_out(
    plan: Plan,
    request: Request,
    session: Session,
    started: datetime,
    processes: Processes,
    cluster: str | None = None,
) -> None:
    """Make artefacts, train fits and score cells, then write the results folder's rows, cards and provenance."""
    pool.execute(plan, detectors(request), session, processes, cluster)
    probing.write_probes(plan, session)
    record(plan, request, session, started)
