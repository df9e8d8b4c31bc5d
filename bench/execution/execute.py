"""Carry out a plan: artefacts, fits, scores, rows. Importing this module imports torch."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bench.device import Processes
from bench.execution import fitting, pool
from bench.execution.provenance import record
from bench.execution.session import Session
from bench.planning.matrix import detectors
from bench.planning.request import Request
from bench.types import Plan


def prepare(plan: Plan, session: Session, processes: Processes) -> None:
    """Make the missing artefacts of a plan."""
    pool.execute(replace(plan, fits=(), cells=()), {}, session, processes)


def carry_out(plan: Plan, request: Request, session: Session, started: datetime, processes: Processes) -> None:
    """Make artefacts, train fits and score cells, then write the results folder's rows, cards and provenance."""
    pool.execute(plan, detectors(request), session, processes)
    fitting.write_probes(plan, session)
    record(plan, request, session, started)
