"""Open a session on this machine and carry a plan through to its rows and report. Importing this imports torch."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime

from bench import device as devices
from bench.device import Processes
from bench.ledger.folder import Results
from bench.models.zoo import Zoo
from bench.progress import Progress
from bench.recon.store import Store
from bench.run import execute, pool
from bench.run.execute import Session
from bench.run.matrix import detectors
from bench.run.record import record
from bench.run.request import Request
from bench.types import Plan


def open_session(zoo: Zoo, store: Store, results: Results, device: str, progress: Progress) -> Session:
    """A session on ``auto|cpu|cuda`` with threads pinned; loader processes only where a GPU waits for them."""
    devices.pin()
    picked = devices.pick(device)
    workers = min(8, os.cpu_count() or 1) if picked == "cuda" else 0
    return Session(store, zoo, results, picked, workers, progress)


def prepare(plan: Plan, session: Session, processes: Processes) -> None:
    """Make the missing artefacts of a plan."""
    pool.work(replace(plan, fits=(), cells=()), {}, session, processes)


def carry_out(plan: Plan, request: Request, session: Session, started: datetime, processes: Processes) -> None:
    """Artefacts, fits, scores, then the results folder's rows, cards and provenance."""
    pool.work(plan, detectors(request), session, processes)
    execute.write_probes(plan, session)
    record(plan, request, session, started)
