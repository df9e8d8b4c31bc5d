"""Train one fit by several processes of this machine, one per GPU; on a CPU, one per core."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import pickle
import tempfile
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from bench import device as devices
from bench import discover
from bench.data.decode import route_warnings
from bench.detector import Detector
from bench.errors import BenchError
from bench.execution.relay import Relay, exit_with_parent, relay
from bench.execution.session import Place, Session
from bench.progress import Meter, Progress
from bench.training import network
from bench.training.examples import Reference
from bench.training.group import Group

#: Longest time that a process waits for the others: the slowest may still be reading the images of its first batch.
_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Share:
    """What each process of a fit needs. ``data`` is the digest of the images."""

    place: Place
    detector: Detector
    weights: Mapping[str, Path]
    seed: int
    folder: Path
    data: str
    train: Sequence[Reference]
    val: Sequence[Reference]
    title: str
    lost: Mapping[str, dict[str, str]]


def train(share: Share, session: Session, size: int) -> dict[str, Any]:
    """Train and save a network by ``size`` processes; returns entries for the fit's record.

    Raises what the first process to fail has raised.
    """
    with tempfile.TemporaryDirectory() as home:
        task = Path(home) / "share.pickle"
        task.write_bytes(pickle.dumps(share))
        # Torch's own messages of its processes are about speed; its errors are raised.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        context = multiprocessing.get_context("spawn")
        receiving, sending = context.Pipe(duplex=False)
        words = (str(task), size, sending, discover.plugin_files())
        members = [context.Process(target=_member, args=(rank, *words)) for rank in range(size)]
        for member in members:
            member.start()
        sending.close()
        listening = threading.Thread(target=relay, args=(receiving, session.progress), daemon=True)
        listening.start()
        try:
            _wait(members)
        finally:
            for member in members:
                member.kill()
                member.join()
            listening.join()
        outcomes = [_outcome(task, rank) for rank in range(size)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if errors:
        raise errors[0]
    if None in outcomes:
        raise BenchError(
            f"A process that trained {share.title} has died.",
            f"Exit codes of its {size} processes: {[member.exitcode for member in members]}.",
            "Rerun: it continues after the last complete epoch. With fewer --devices-per-fit, each has more memory.",
        )
    for _, meter in outcomes:
        session.meter.add(meter)
    record: dict[str, Any] = outcomes[0][0]
    return record


def _wait(members: Sequence[BaseProcess]) -> None:
    """Wait until all have ended, or one has failed: the others would wait for it."""
    left = list(members)
    while left and all(member.exitcode in (0, None) for member in members):
        multiprocessing.connection.wait([member.sentinel for member in left])
        left = [member for member in left if member.exitcode is None]


def _outcome(task: Path, rank: int) -> Any:  # noqa: ANN401 - a record with counts, an exception, or None
    """What a process has left behind."""
    file = task.with_name(f"rank-{rank}.pickle")
    return pickle.loads(file.read_bytes()) if file.exists() else None  # Written by our own child.


def _member(rank: int, task: str, size: int, pipe: Connection, plugins: Sequence[Path]) -> None:
    """One of the processes: train, and leave the outcome in a file beside the task."""
    threading.Thread(target=exit_with_parent, daemon=True).start()
    discover.load_plugins(plugins)
    file = Path(task).with_name(f"rank-{rank}.pickle")
    try:
        share: Share = pickle.loads(Path(task).read_bytes())  # Written by the parent a moment ago.
        outcome: Any = _train(share, Group(rank, size), Path(task).with_name("meeting"), pipe)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        outcome = error
    partial = file.with_suffix(".part")
    partial.write_bytes(pickle.dumps(outcome))
    partial.replace(file)
    pipe.close()
    if isinstance(outcome, Exception):
        raise SystemExit(1)


def _train(share: Share, group: Group, meeting: Path, pipe: Connection) -> tuple[dict[str, Any], Meter]:
    """Train as one of the group; the first one reports progress and saves."""
    devices.pin(share.place.zoo.numerics.precision, share.place.zoo.numerics.exact, share.place.device)
    route_warnings()
    warnings.filterwarnings("ignore", "(?s).*Grad strides do not match")  # It concerns speed alone.
    on_gpu = share.place.device == "cuda"
    if on_gpu:
        torch.cuda.set_device(group.rank)
    where: dict[str, Any] = {"init_method": meeting.absolute().as_uri(), "rank": group.rank, "world_size": group.size}
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_PATIENCE, **where)
    session = share.place.session(Progress() if group.rank else Relay(pipe))
    session.lost |= share.lost
    fit = network.Training(
        share.detector, share.weights, share.seed, share.folder, replace(session.runtime, group=group)
    )
    fit.data = share.data
    fit.resume()
    fit.run(share.train, share.val, share.title)
    if not group.rank:
        network.save_weights(fit.model, share.folder)
    dist.barrier()
    dist.destroy_process_group()
    return fit.record(), session.meter
