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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.detector import Detector, Plateau, Schedule, Stage
from bench.errors import BenchError
from bench.kit.checkpoint import JUNK
from bench.kit.pixels import Pixels
from bench.kit.reference import Reference
from bench.progress import Meter, Progress
from bench.recipe import content_key

PREDICT_BATCH = 32
#: Seconds after which a file that nobody writes to any more is what a killed run has left.
_STALE = 3600
Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Bench:
    """Where a fit or a prediction runs and what it reads and reports through."""

    pixels: Pixels
    device: str
    meter: Meter
    progress: Progress
    workers: int = 0


class Views(torch.utils.data.Dataset[Batch]):
    """Views of references as tensors, a function of (seed, epoch, image, kind) alone: order and workers are free."""

    def __init__(
        self, detector: Detector, refs: Sequence[Reference], pixels: Pixels, stage: Stage, seed: tuple[int, int]
    ) -> None:
        self._detector, self._refs, self._pixels, self._stage, self._seed = detector, refs, pixels, stage, seed
        self.ragged = detector.ragged

    def __len__(self) -> int:
        return len(self._refs)

    def __getitem__(self, index: int) -> Batch:
        ref = self._refs[index]
        words = [*self._seed, *(int(ref.item.image_id[i : i + 8], 16) for i in (0, 8)), len(ref.example.pixels)]
        view = self._detector.view(ref.sample(self._pixels), self._stage, np.random.default_rng(words))
        return {**view, "label": torch.tensor(ref.label)}


def padded(views: Sequence[Batch]) -> Batch:
    """Views as one batch; planes [..., H, W] of different sizes get zeros at the bottom and the right."""
    found: Batch = {}
    for name in views[0]:
        parts = [view[name] for view in views]
        sides = [max(part.shape[axis] for part in parts) for axis in (-2, -1)] if parts[0].dim() > 1 else []
        gaps = [(0, sides[1] - part.shape[-1], 0, sides[0] - part.shape[-2]) if sides else () for part in parts]
        found[name] = torch.stack([nn.functional.pad(part, gap) for part, gap in zip(parts, gaps, strict=True)])
    return found


def _batches(views: Views, order: Sequence[int], size: int, bench: Bench) -> Iterator[Batch]:
    sampler = [list(order[start : start + size]) for start in range(0, len(order), size)]
    loader = torch.utils.data.DataLoader(
        views, batch_sampler=sampler, num_workers=bench.workers, collate_fn=padded if views.ragged else None
    )
    for batch in loader:
        yield {name: tensor.to(bench.device, non_blocking=True) for name, tensor in batch.items()}


@torch.no_grad()
def predict(detector: Detector, model: nn.Module, refs: Sequence[Reference], bench: Bench) -> list[float]:
    """Logits of references in order; batches have one fixed size, the last filled up with its last image."""
    model.eval()
    views = Views(detector, refs, bench.pixels, "test", (0, 0))
    spare = -len(refs) % PREDICT_BATCH
    order = [*range(len(refs)), *[len(refs) - 1] * spare]
    logits: list[float] = []
    for batch in _batches(views, order, PREDICT_BATCH, bench):
        logits += detector.logit(model, batch).float().cpu().tolist()
        bench.meter.forwards += PREDICT_BATCH
    return logits[: len(refs)]


class EarlyStop:
    """The early stop of the CNNDetection family as a state machine over validation accuracies.

    PeterWang512/CNNDetection@ea0b562:earlystop.py, train.py. Differs in one point: a new stage keeps the best accuracy
    so far, where the official one forgets it and overwrites the best checkpoint with a worse epoch.
    """

    def __init__(self, rule: Plateau, lr: float) -> None:
        self.rule, self.lr, self.best, self.waited, self.stage = rule, lr, float("-inf"), 0, 0

    def step(self, accuracy: float) -> bool:
        """Take an epoch's accuracy; returns whether it gained enough to be kept as the best. ``lr`` may fall."""
        if accuracy >= self.best + self.rule.gains[min(self.stage, 1)]:
            self.best, self.waited = accuracy, 0
            return True
        self.waited += 1
        if self.waited >= self.rule.patience:
            self.lr, self.waited, self.stage = self.lr * self.rule.factor, 0, self.stage + 1
        return False

    @property
    def stopped(self) -> bool:
        """Whether the rate has fallen below its minimum."""
        return self.lr < self.rule.min_lr * (1 - 1e-6)


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

    def __init__(self, detector: Detector, weights: Mapping[str, Path], seed: int, folder: Path, bench: Bench) -> None:
        self.detector, self.seed, self.folder, self.bench = detector, seed, folder, bench
        self.plan = detector.schedule()
        torch.manual_seed(seed)
        self.model = detector.build(weights).to(bench.device)
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.plan.optimizer]
        groups = _rated(self.model, self.plan)
        self.optimizer = kind(groups, self.plan.lr, betas=self.plan.betas, weight_decay=self.plan.weight_decay)
        best_only = Plateau(patience=self.plan.epochs + 1, gains=(1e-9, 1e-9))  # Never falls; any gain counts.
        self.stop = EarlyStop(self.plan.plateau or best_only, self.plan.lr)
        self.epoch = 0
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
        except (pickle.UnpicklingError, *JUNK) as error:
            self.bench.progress.warn(f"{self._path} is damaged ({type(error).__name__}): training begins anew")
            return
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
        views = Views(self.detector, refs, self.bench.pixels, "train", (self.seed, self.epoch))
        for batch in _batches(views, order, self.plan.batch_size, self.bench):
            loss = self.detector.loss(self.model, batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if self.plan.clip_norm:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip_norm)
            self.optimizer.step()
            self.bench.meter.forwards += len(batch["label"])

    def run(self, train: Sequence[Reference], val: Sequence[Reference], title: str = "training") -> None:
        """Train to the end of the schedule, saving after every epoch; ``title`` is what progress calls it."""
        progress = self.bench.progress
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
        views = Views(self.detector, refs, self.bench.pixels, "test", (0, 0))
        self.detector.calibrate(self.model, _batches(views, range(len(refs)), PREDICT_BATCH, self.bench))

    def _validate(self, val: Sequence[Reference]) -> None:
        logits = np.asarray(predict(self.detector, self.model, val, self.bench))
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


def save_model(model: nn.Module, folder: Path, record: Mapping[str, Any]) -> None:
    """Write weights and the record of a finished fit; the record is written last and makes it finished."""
    folder.mkdir(parents=True, exist_ok=True)
    with _replacing(folder / "model.safetensors") as partial:
        save_file({name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}, partial)
    save_record(folder, record)
    (folder / "state.pt").unlink(missing_ok=True)


def save_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a fit, which makes it finished."""
    folder.mkdir(parents=True, exist_ok=True)
    with _replacing(folder / "fit.json") as partial:
        partial.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")


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
    model = detector.build(weights)
    try:
        state = load_file(folder / "model.safetensors")
    except (SafetensorError, FileNotFoundError) as error:
        raise BenchError(
            f"The fit in {folder} is damaged: {type(error).__name__}: {error}.",
            "Its model.safetensors is not what was written.",
            "Delete that folder; the same command then makes it again.",
        ) from error
    model.load_state_dict(state, strict=True)
    return model.to(device).eval()
