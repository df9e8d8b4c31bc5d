"""The fit and predict loops of networks: order, seeds, labels, saving and resuming are decided here alone."""

from __future__ import annotations

import json
import math
import os
import pickle
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.detector import Detector, Plateau, Schedule
from bench.errors import BenchError
from bench.recipe import content_key
from bench.training.checkpoint import UNREADABLE_ERRORS
from bench.training.early_stop import EarlyStop
from bench.training.examples import Reference
from bench.training.faults import BadImages, Fault
from bench.training.loader import Runtime, Views, ahead, batches

PREDICT_BATCH = 32
#: Seconds after which a file that nobody writes to any more is what a killed run has left.
_STALE = 3600


def predict(
    detector: Detector,
    model: nn.Module,
    refs: Sequence[Reference],
    runtime: Runtime,
    lost: dict[str, Fault] | None = None,
) -> list[float]:
    """Logits of references in order; batches have one fixed size, the last filled up with its last image.

    A reference that cannot be shown gets NaN, and its fault stands in ``lost`` under its row_id; without ``lost``, and
    where an artefact is damaged, BadImages is raised.
    """
    try:
        return _predict(detector, model, refs, runtime)
    except BadImages as bad:
        if lost is None or bad.damaged:
            raise
        faults = {fault.index: fault for fault in bad.faults}
    lost |= {refs[index].item.row_id: fault for index, fault in faults.items()}
    good = [ref for index, ref in enumerate(refs) if index not in faults]
    found = iter(_predict(detector, model, good, runtime) if good else ())
    return [float("nan") if index in faults else next(found) for index in range(len(refs))]


@torch.no_grad()
def _predict(detector: Detector, model: nn.Module, refs: Sequence[Reference], runtime: Runtime) -> list[float]:
    model.eval()
    views = Views(detector, refs, runtime.reader, "test", (0, 0))
    spare = -len(refs) % PREDICT_BATCH if runtime.exact else 0
    order = [*range(len(refs)), *[len(refs) - 1] * spare]
    loaded = batches(views, order, PREDICT_BATCH, runtime)
    logits: list[float] = []
    for batch in loaded if runtime.exact else ahead(loaded):
        logits += detector.logit(model, batch).float().cpu().tolist()
        runtime.meter.forwards += len(batch["label"])
    return logits[: len(refs)]


def _rated(model: nn.Module, plan: Schedule) -> list[dict[str, Any]]:
    """The trainable weights as an optimiser's groups, one a factor of the rate that has any."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = next((f for prefix, f in plan.rate_factors.items() if name.startswith(prefix)), 1.0)
            groups.setdefault(factor, []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]


class Training:
    """One fit: a model, its optimiser and its place in the schedule, resumable after every epoch."""

    def __init__(
        self, detector: Detector, weights: Mapping[str, Path], seed: int, folder: Path, runtime: Runtime
    ) -> None:
        self.detector, self.seed, self.folder, self.runtime = detector, seed, folder, runtime
        self.plan = detector.schedule()
        torch.manual_seed(seed)
        self.model = detector.build(weights).to(runtime.device)
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.plan.optimizer]
        groups = _rated(self.model, self.plan)
        self.optimizer = kind(groups, self.plan.lr, betas=self.plan.betas, weight_decay=self.plan.weight_decay)
        best_only = Plateau(patience=self.plan.epochs + 1, gains=(1e-9, 1e-9))  # Never falls; any gain counts.
        self.stop = EarlyStop(self.plan.plateau or best_only, self.plan.lr)
        self.epoch, self.data = 0, ""  # What it is trained on, for resuming.
        self.best: dict[str, Tensor] = {}
        self._validates = bool(self.plan.plateau or self.plan.keep_best)

    @property
    def _path(self) -> Path:
        return self.folder / "state.pt"

    def resume(self) -> None:
        """Go on from the last whole epoch that an interrupted run left."""
        for partial in self.folder.glob("*.part"):
            with suppress(OSError):  # Another run at the same fit may have put it in its place.
                if time.time() - partial.stat().st_mtime > _STALE:
                    partial.unlink()
        if not self._path.exists():
            return
        try:
            state = torch.load(self._path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return  # Another run has just finished this fit.
        except OSError:
            raise  # The disk's trouble, not the file's.
        except (pickle.UnpicklingError, *UNREADABLE_ERRORS) as error:
            self.runtime.progress.warn(f"{self._path} is damaged ({type(error).__name__}): training begins anew")
            return
        if state.get("data", "") != self.data:
            return  # Of another set of images: it was found on the way that some cannot be shown.
        self.model.load_state_dict(state["model"])
        factors = [group["factor"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, factor in zip(self.optimizer.param_groups, factors, strict=True):
            group["factor"] = factor  # A state of an earlier version has none.
        self.epoch, self.best = state["epoch"], state["best"]
        self.stop.lr, self.stop.best, self.stop.waited, self.stop.stage = state["stop"]

    def _save(self) -> None:
        stop = (self.stop.lr, self.stop.best, self.stop.waited, self.stop.stage)
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "data": self.data,
            "best": self.best,
            "stop": stop,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with _replacing(self._path) as partial:
            torch.save(state, partial)

    def _epoch(self, refs: Sequence[Reference]) -> None:
        self.model.train()
        torch.manual_seed(int(content_key([self.seed, self.epoch])[:8], 16))
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(refs)).tolist()
        if len(order) > 1 and len(order) % self.plan.batch_size == 1:
            order.append(order[0])  # Batch norm cannot learn from a batch of one.
        views = Views(self.detector, refs, self.runtime.reader, "train", (self.seed, self.epoch))
        for batch in batches(views, order, self.plan.batch_size, self.runtime):
            loss = self.detector.loss(self.model, batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if self.plan.clip_norm:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip_norm)
            self.optimizer.step()
            self.runtime.meter.forwards += len(batch["label"])

    def run(self, train: Sequence[Reference], val: Sequence[Reference], title: str = "training") -> None:
        """Train to the end of the schedule, saving after every epoch; ``title`` is what progress calls it."""
        progress = self.runtime.progress
        with progress.stage(f"epochs of {title}", self.plan.epochs) as stage:
            progress.advance(stage, self.epoch)
            if self.detector.calibrates and not self.epoch:
                self._calibrate(train)
            while self.epoch < self.plan.epochs and not (self.plan.plateau and self.stop.stopped):
                self._set_rate()
                self._epoch(train)
                self.epoch += 1
                if self._validates:
                    self._validate(val)
                self._save()
                progress.advance(stage)
        if self.best:
            self.model.load_state_dict(self.best)
        self.model.eval()

    def _calibrate(self, refs: Sequence[Reference]) -> None:
        views = Views(self.detector, refs, self.runtime.reader, "test", (0, 0))
        self.detector.calibrate(self.model, batches(views, range(len(refs)), PREDICT_BATCH, self.runtime))

    def _validate(self, val: Sequence[Reference]) -> None:
        logits = np.asarray(predict(self.detector, self.model, val, self.runtime))
        correct = (logits > 0) == np.asarray([ref.label for ref in val], bool)
        if self.stop.step(float(correct.mean())):
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _set_rate(self) -> None:
        rate = self.stop.lr if self.plan.plateau else self.plan.lr
        if self.plan.cosine:
            rate *= 0.5 * (1 + math.cos(math.pi * self.epoch / self.plan.cosine))
        if self.plan.step_size:
            rate *= self.plan.gamma ** (self.epoch // self.plan.step_size)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]


def save_weights(model: nn.Module, folder: Path) -> None:
    """Write the weights of a fit; its record, which makes it finished, is yet to come."""
    folder.mkdir(parents=True, exist_ok=True)
    with _replacing(folder / "model.safetensors") as partial:
        save_file({name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}, partial)


def save_model(model: nn.Module, folder: Path, record: Mapping[str, Any]) -> None:
    """Write weights and the record of a finished fit."""
    save_weights(model, folder)
    save_record(folder, record)


def save_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a fit, which makes it finished."""
    folder.mkdir(parents=True, exist_ok=True)
    with _replacing(folder / "fit.json") as partial:
        partial.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "state.pt").unlink(missing_ok=True)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write, which then takes the place of ``path``; of another name than any other run's at the same fit."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_model(detector: Detector, weights: Mapping[str, Path], folder: Path, device: str) -> nn.Module:
    """The module of a finished fit. Missing, extra or misshapen tensors are an error naming them.

    Raises BenchError for a file that is not what was written.
    """
    try:
        state = load_file(folder / "model.safetensors")
    except (SafetensorError, FileNotFoundError) as error:
        raise BenchError(
            f"The fit in {folder} is damaged: {type(error).__name__}: {error}.",
            "Its model.safetensors is not what was written.",
            "Delete that folder; the same command then makes it again.",
        ) from error
    model = _allocated(detector, weights)
    meta = any(tensor.is_meta for tensor in model.state_dict().values())
    model.load_state_dict(state, strict=True, assign=meta)
    return model.to(device).eval()


def _allocated(detector: Detector, weights: Mapping[str, Path]) -> nn.Module:
    """A module to load a fit into; without values where it can be, as drawing them first costs more than loading."""
    if weights or detector.companions():
        return detector.build(weights)
    with torch.device("meta"):
        model = detector.build({})
    kept = set(model.state_dict())
    other = [name for name, _ in model.named_buffers() if name not in kept]
    return detector.build({}) if other else model  # A constant that no file holds has to be computed.
