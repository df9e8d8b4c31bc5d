"""Compare training by this package with a plain torch loop over the same loader, for networks of their real sizes.

    python -m benchmarks.train [--images N] [--batch N] [--repeats N] [--device cuda] [--precision bf16] [--json FILE]

ResNet-50 (CNNSpot), ConvNeXt-B (Conv-B) and the head of a frozen CLIP ViT-L/14 (UnivFD), with random weights. Both
sides train for one epoch per repeat, from image files of up to 500 px, and take turns in one process; medians are told.
`from memory` repeats the step of one batch, so its distance from the rest is what waiting for images costs. `--tiny`:
the miniature's sizes. The machine should be idle.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tabulate import tabulate

from bench import device as devices
from bench import discover
from bench.artefacts.reader import Reader
from bench.artefacts.store import Store
from bench.detector import Detector
from bench.models.zoo import Zoo
from bench.numerics import PRECISIONS, choose
from bench.progress import Meter, Progress
from bench.suites.suite import instantiate, load
from bench.training import network
from bench.training.examples import references
from bench.training.loader import Loader, Runtime, Views
from bench.types import Slice
from benchmarks.output import keep
from benchmarks.pictures import images
from tools.full_size import FullSize

#: Network → the detector that trains it.
DETECTORS = {"resnet50": "cnnspot", "convnext_b": "conv_b", "clip_vit_l14": "univfd"}


class Case:
    """One network, images, and both ways to train it."""

    def __init__(self, name: str, zoo: Zoo, items: Any, batch: int, how: Runtime, home: Path) -> None:  # noqa: ANN401
        suite = load("mini" if zoo.is_mini else "paper")
        method = instantiate(suite, DETECTORS[name], "", discover.method(DETECTORS[name]))
        changed: Any = type(method)(replace(method.params, batch_size=batch))
        self.method: Detector = changed
        weights = {role: zoo.folder(role) for role in self.method.roles()}
        self.fit = network.Training(self.method, weights, 0, home / name, how)
        self.refs = references(self.method, [Slice("genimage", "sdv14", "train", tuple(items))], zoo.resolve, "train")
        self.how, self.batch = how, batch
        self.loader = Loader(Views(self.method, self.refs, how.reader, "train"), how)
        torch.manual_seed(0)
        self.model = self.method.build(weights).to(how.device)
        plan, trained = self.fit.plan, [p for p in self.model.parameters() if p.requires_grad]
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[plan.optimizer]
        self.optimiser = kind(trained, plan.lr, plan.betas, weight_decay=plan.weight_decay, fused=how.device == "cuda")
        self.scaler = torch.amp.GradScaler(how.device, enabled=how.half == "fp16")

    def ours(self) -> None:
        """One epoch of this package's loop."""
        self.fit.train_epoch(self.loader, len(self.refs))
        self.fit.epoch += 1

    def plain(self) -> None:
        """One epoch of a plain loop."""
        self.model.train()
        order = torch.randperm(len(self.refs)).tolist()
        for batch in self.loader.batches([order[i : i + self.batch] for i in range(0, len(order), self.batch)]):
            self.optimiser.zero_grad(set_to_none=True)
            with self.how.autocast():
                loss = self.method.loss(self.model, batch)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimiser)
            self.scaler.update()

    def figures(self, repeats: int) -> dict[str, float]:
        """Images per second of both, and of a batch that is in memory."""
        sides: dict[str, list[float]] = {"ours": [], "plain": []}
        for number in range(repeats + 1):
            for name, work in (("ours", self.ours), ("plain", self.plain)):
                seconds = _seconds(work, self.how.device)
                sides[name] += [seconds] if number else []  # The first epoch of each warms up.
        batch = next(iter(self.loader.batches([range(self.batch)])))
        step = median(_seconds(lambda: self.fit.step.take(batch, self.batch), self.how.device) for _ in range(repeats))
        ours, plain = (len(self.refs) / median(times) for times in sides.values())
        memory = self.batch / step
        return {"images_per_s": ours, "vs_plain": ours / plain, "from_memory": memory, "vs_memory": ours / memory}


def _seconds(work: Any, device: str) -> float:  # noqa: ANN401 - a function without arguments
    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16, help="images per epoch")
    parser.add_argument("--batch", type=int, default=8, help="images per batch")
    parser.add_argument("--repeats", type=int, default=3, help="timed epochs of each side")
    parser.add_argument("--models", default=",".join(DETECTORS), help="comma-separated networks")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--precision", default="auto", choices=("auto", *PRECISIONS))
    parser.add_argument("--tiny", action="store_true", help="the miniature's sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    device = devices.pick(arguments.device)
    numerics = choose(arguments.precision, None, device)
    devices.pin(numerics.precision, numerics.exact, device)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "models").mkdir()
        zoo = Zoo("mini", numerics=numerics) if arguments.tiny else FullSize(home / "models", numerics)
        items = images(home, arguments.images, 64 if arguments.tiny else 500)
        workers = min(16, os.cpu_count() or 1) if device == "cuda" else 0
        work = (Reader(Store(home / "store")), device, Meter(), Progress(), workers)
        how = Runtime(*work, exact=numerics.exact, half=numerics.half)
        for name in arguments.models.split(","):
            found[name] = Case(name, zoo, items, arguments.batch, how, home).figures(arguments.repeats)
            devices.release_memory()
    headers = ("network", "images/s", "vs plain loop", "from memory", "vs memory")
    print(tabulate([(name, *row.values()) for name, row in found.items()], headers=headers, floatfmt=".2f"))
    figures = {f"{name}_{figure}": value for name, row in found.items() for figure, value in row.items()}
    keep({"device": devices.describe(device)["device_name"], **figures}, arguments.json)


if __name__ == "__main__":
    main()
