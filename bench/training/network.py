"""The fit and predict loops of networks. Only this module handles order, seeds, labels, saving and resuming."""

from __future__ import annotations

import json
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

from bench.detector import Detector, Plateau
from bench.errors import BenchError
from bench.recipe import content_key
from bench.training.budgets import scheduled
from bench.training.checkpoint import UNREADABLE_ERRORS
from bench.training.early_stop import EarlyStop
from bench.training.examples import Reference
from bench.training.faults import BadImages, Fault
from bench.training.loader import Loader, Runtime, Views, ahead, batches
from bench.training.optimiser import Optimiser
from bench.training.pixels import remembering
from bench.training.step import Step

PREDICT_BATCH = 32
#: Seconds since its last write after which a partial file is assumed to be left over from a killed run.
_STALE = 3600


def predict(
    detector: Detector,
    model: nn.Module,
    refs: Sequence[Reference],
    runtime: Runtime,
    lost: dict[str, Fault] | None = None,
) -> list[float]:
    """Logits of references in order; batches have one fixed size, the last filled up with repeats of its last image.

    A reference that cannot be used gets NaN, and its fault is added to ``lost`` under its row_id. Raises BadImages if
    ``lost`` is None or an artefact is damaged.
    """
    try:
        return _predict(detector, model, refs, runtime)
    except BadImages as bad:
        if lost is None or bad.damaged:
            raise
        faults = {fault.index: fault for fault in bad.faults}
    lost |= {refs[index].item.row_id: fault for index, fault in faults.items()}
    good = [ref for index, ref in enumerate(refs) if index not in faults]
    logits = iter(_predict(detector, model, good, runtime) if good else ())
    return [float("nan") if index in faults else next(logits) for index in range(len(refs))]


@torch.no_grad()
def _predict(detector: Detector, model: nn.Module, refs: Sequence[Reference], runtime: Runtime) -> list[float]:
    model.eval()
    views = Views(detector, refs, runtime.reader, "test")
    padding = -len(refs) % PREDICT_BATCH if runtime.exact else 0
    order = [*range(len(refs)), *[len(refs) - 1] * padding]
    loaded = batches(views, order, PREDICT_BATCH, runtime)
    logits: list[float] = []
    for batch in loaded if runtime.exact else ahead(loaded):
        with runtime.autocast():
            logits += detector.logit(model, batch).float().cpu().tolist()
        runtime.meter.forwards += len(batch["label"])
    return logits[: len(refs)]


class Training:
    """One fit: a model, its optimiser and its position in the schedule. It can be resumed after every epoch."""

    def __init__(
        self, detector: Detector, weights: Mapping[str, Path], seed: int, folder: Path, runtime: Runtime
    ) -> None:
        self.detector, self.seed, self.folder, self.runtime = detector, seed, folder, runtime
        self.plan = scheduled(detector)
        torch.manual_seed(seed)
        self.model = runtime.group.prepared(detector.build(weights), runtime.device).to(runtime.device)
        self.optimiser = Optimiser(self.model, self.plan, runtime.device, runtime.half)
        self.step = Step(detector, self.model, self.optimiser, runtime)
        best_only = Plateau(patience=self.plan.epochs + 1, gains=(1e-9, 1e-9))  # Keeps the rate; any gain counts.
        self.stop = EarlyStop(self.plan.plateau or best_only, self.plan.lr)
        self.epoch, self.data = 0, ""  # ``data``: digest of the training images, checked on resuming.
        self.best: dict[str, Tensor] = {}
        self._validates = bool(self.plan.plateau or self.plan.keep_best)

    @property
    def _path(self) -> Path:
        return self.folder / "state.pt"

    def resume(self) -> None:
        """Continue after the last complete epoch of an interrupted run."""
        for partial in self.folder.glob("*.part"):
            with suppress(OSError):  # Another run training this fit may have renamed it to its final name.
                if time.time() - partial.stat().st_mtime > _STALE:
                    partial.unlink()
        if not self._path.exists():
            return
        try:
            state = torch.load(self._path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return  # Another run has just finished this fit.
        except OSError:
            raise  # A problem of the disk, not of the file.
        except (pickle.UnpicklingError, *UNREADABLE_ERRORS) as error:
            self.runtime.progress.warn(f"{self._path} is damaged ({type(error).__name__}): training starts again")
            return
        if state.get("data", "") != self.data:
            return  # Trained on other images: some were found during training that cannot be used.
        self.model.load_state_dict(state["model"])
        self.optimiser.load(state)
        self.epoch, self.best = state["epoch"], state["best"]
        self.stop.lr, self.stop.best, self.stop.waited, self.stop.stage = state["stop"]

    def _save(self) -> None:
        stop = (self.stop.lr, self.stop.best, self.stop.waited, self.stop.stage)
        state = {
            "model": self.model.state_dict(),
            "epoch": self.epoch,
            "data": self.data,
            "best": self.best,
            "stop": stop,
            **self.optimiser.state(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with _replacing(self._path) as partial:
            torch.save(state, partial)

    def train_epoch(self, loader: Loader, count: int) -> None:
        """Train on every one of ``count`` images once, in the order of this epoch."""
        self.model.train()
        group = self.runtime.group
        words = [self.seed, self.epoch, *([group.rank] if group.rank else ())]
        torch.manual_seed(int(content_key(words)[:8], 16))
        order = np.random.default_rng([self.seed, self.epoch]).permutation(count).tolist()
        whole = group.batches(order, self.plan.batch_size)
        for members, batch in zip(whole, loader.batches([group.share(m) for m in whole], self.epoch), strict=True):
            self.step.take(batch, len(members))
            self.runtime.meter.forwards += len(batch["label"])

    def run(self, train: Sequence[Reference], val: Sequence[Reference], title: str = "training") -> None:
        """Train to the end of the schedule, saving after every epoch; ``title`` names the fit in the progress."""
        progress = self.runtime.progress
        reader = self.runtime.reader
        if self.plan.epochs - self.epoch > 1:
            reader = remembering(reader, train, self.runtime.device)
        loader = Loader(Views(self.detector, train, reader, "train", self.seed), self.runtime)
        with progress.stage(f"epochs of {title}", self.plan.epochs) as stage:
            progress.advance(stage, self.epoch)
            if self.detector.calibrates and not self.epoch:
                self._calibrate(train)
            while self.epoch < self.plan.epochs and not (self.plan.plateau and self.stop.stopped):
                self.optimiser.set_rate(self.epoch, self.stop.lr if self.plan.plateau else self.plan.lr)
                self.train_epoch(loader, len(train))
                self.epoch += 1
                if self._validates:
                    self._validate(val)
                if not self.runtime.group.rank:
                    self._save()
                progress.advance(stage)
        if self.best:
            self.model.load_state_dict(self.best)
        self.model.eval()

    def record(self) -> dict[str, Any]:
        """What the fit's record says of the training."""
        smaller = self.step.micro_batch != self.runtime.micro_batch
        shown = {"micro_batch": self.step.micro_batch} if smaller else {}  # Memory was short.
        best = self.stop.best if self.best else None
        if self.stop.rule.measure == "loss":
            return {"epochs": self.epoch, "best_val_loss": None if best is None else -best, **shown}
        return {"epochs": self.epoch, "best_val_acc": best, **shown}

    def _calibrate(self, refs: Sequence[Reference]) -> None:
        views = Views(self.detector, refs, self.runtime.reader, "test")
        self.detector.calibrate(self.model, batches(views, range(len(refs)), PREDICT_BATCH, self.runtime))

    def _validate(self, val: Sequence[Reference]) -> None:
        group = self.runtime.group
        logits = np.asarray(group.joined(predict(self.detector, self.model, group.share(val), self.runtime)))
        fake = np.asarray([ref.label for ref in val], bool)
        loss = float(np.logaddexp(0, np.where(fake, -logits, logits)).mean())
        if self.stop.step(-loss if self.stop.rule.measure == "loss" else float(((logits > 0) == fake).mean())):
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}


def save_weights(model: nn.Module, folder: Path) -> None:
    """Write the weights of a fit. It counts as finished only once :func:`save_record` has written its record."""
    folder.mkdir(parents=True, exist_ok=True)
    with _replacing(folder / "model.safetensors") as partial:
        save_file({name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}, partial)


def save_model(model: nn.Module, folder: Path, record: Mapping[str, Any]) -> None:
    """Write weights and the record of a finished fit."""
    save_weights(model, folder)
    save_record(folder, record)


def save_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a fit, which marks it as finished."""
    folder.mkdir(parents=True, exist_ok=True)
    with _replacing(folder / "fit.json") as partial:
        partial.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "state.pt").unlink(missing_ok=True)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary file that replaces ``path`` after the block. Its name is unique: another run may train this fit."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_model(detector: Detector, weights: Mapping[str, Path], folder: Path, device: str) -> nn.Module:
    """The module of a finished fit. Raises an error naming any missing, extra or misshapen tensors.

    Raises BenchError for a damaged or absent file.
    """
    try:
        state = load_file(folder / "model.safetensors")
    except (SafetensorError, FileNotFoundError) as error:
        raise BenchError(
            f"The fit in {folder} is damaged: {type(error).__name__}: {error}.",
            "Its model.safetensors is missing or not as it was written.",
            "Delete that folder and run the same command again.",
        ) from error
    model = _allocated(detector, weights)
    meta = any(tensor.is_meta for tensor in model.state_dict().values())
    # A file's tensors begin at any address, and some kernels sum in another order there: a score would move by 1e-7.
    state = {name: tensor.clone() for name, tensor in state.items()} if meta else state
    model.load_state_dict(state, strict=True, assign=meta)
    return model.to(device).eval()


def _allocated(detector: Detector, weights: Mapping[str, Path]) -> nn.Module:
    """A module to load a fit into; if possible without values, as initialising them takes longer than loading."""
    if weights or detector.companions():
        return detector.build(weights)
    with torch.device("meta"):
        model = detector.build({})
    saved = set(model.state_dict())
    constants = [name for name, _ in model.named_buffers() if name not in saved]
    return detector.build({}) if constants else model  # Buffers that are not saved have to be computed.
