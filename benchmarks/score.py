"""Compare the speed of `score` with a plain torch loop, for checkpoints of their real sizes, on one and many images.

    python -m benchmarks.score [--images N] [--repeats N] [--json FILE] [--models resnet50,clip_vit_l14,convnext_b]

Weights are random, in the file formats that the authors publish. Both sides load the network, decode and preprocess the
images, and compute with all cores. They alternate in one process; the median ratio of their times is printed. The
machine should be idle.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import joblib
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tabulate import tabulate
from transformers import CLIPConfig, CLIPModel, CLIPVisionModelWithProjection
from transformers.utils import logging

from bench import device as devices
from bench import discover
from bench.detector import Detector, Facts, Sample
from bench.models.configs import shipped
from bench.predict.inputs import Inputs
from bench.predict.options import ScoreOptions, check_scores
from bench.predict.predict import score_images
from bench.progress import Progress

logging.set_verbosity_error()
#: Model → the detector that is released on it.
DETECTORS = {"resnet50": "cnnspot", "clip_vit_l14": "univfd", "convnext_b": "conv_b"}


def images(folder: Path, count: int) -> list[Path]:
    """``count`` JPEG files of ImageNet's usual size, 500 × 375."""
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (25, 33, 3), dtype=np.uint8))
        paths.append(folder / f"{number:03d}.jpg")
        small.resize((500, 375), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def clip_folder(folder: Path) -> Path:
    """A CLIP ViT-L/14 with random weights in the Hub's format."""
    config = shipped("clip_vit_l14")
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig.from_dict(config or {}))
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(model.state_dict(), folder / "model.safetensors", {"format": "pt"})
    return folder


class Case:
    """One detector, its checkpoint, and both ways to score images with it."""

    def __init__(self, name: str, home: Path) -> None:
        self.name, self.home, self.checkpoint = name, home, home / "checkpoint.pth"
        kind = discover.method(DETECTORS[name])
        self.method: Any = kind(kind.Params())
        if not isinstance(self.method, Detector):
            raise TypeError(f"{name} is not a detector")
        self.weights = {"clip_vit_l14": clip_folder(home / "clip")} if name == "clip_vit_l14" else {}
        torch.manual_seed(0)
        torch.save({"model": self.method.build(self.weights).state_dict()}, self.checkpoint)

    def ours(self, paths: list[Path]) -> list[float]:
        """Logits from ``score``."""
        weights = tuple(f"{role}={folder}" for role, folder in self.weights.items())
        options = ScoreOptions("mini", "hub", "cpu", self.home / "store", (str(self.checkpoint),), weights)
        inputs = Inputs(tuple(path.absolute() for path in paths), {})
        (job,) = check_scores(DETECTORS[self.name], inputs, ("sdv14", "aligned", 0), options, Progress())
        return [line["logit"] for line in score_images(job, Progress())]

    @torch.inference_mode()
    def plain(self, paths: list[Path]) -> list[float]:
        """Logits from a plain loop: load, decode, preprocess, forward in batches of 32."""
        torch.set_num_threads(int(joblib.cpu_count()))
        if self.weights:
            encoder = CLIPVisionModelWithProjection.from_pretrained(self.weights["clip_vit_l14"]).eval()
            head = torch.load(self.checkpoint, weights_only=True)["model"]

            def network(x: torch.Tensor) -> torch.Tensor:
                embedded = encoder(pixel_values=x).image_embeds
                return torch.nn.functional.linear(embedded, head["fc.weight"], head["fc.bias"])[:, 0]
        else:
            with torch.device("meta"):
                model = self.method.build({})
            model.load_state_dict(torch.load(self.checkpoint, weights_only=True)["model"], assign=True)
            model.eval()

            def network(x: torch.Tensor) -> torch.Tensor:
                output: torch.Tensor = self.method.logit(model, {"image": x})
                return output

        logits: list[float] = []
        for start in range(0, len(paths), 32):
            views = [self.prepared(path) for path in paths[start : start + 32]]
            logits += network(torch.stack(views)).tolist()
        return logits

    def prepared(self, path: Path) -> torch.Tensor:
        """One image as the network's input."""
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"))
            width, height = image.size
        sample = Sample(rgb, {}, Facts("jpeg", 90, width, height, 0))
        tensor: torch.Tensor = self.method.view(sample, "test", np.random.default_rng(0))["image"]
        return tensor


def seconds(work: Callable[[], object]) -> float:
    """The time that ``work`` takes, in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64, help="number of images in the larger case")
    parser.add_argument("--repeats", type=int, default=3, help="how often both sides are timed")
    parser.add_argument("--models", default=",".join(DETECTORS), help="comma-separated networks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the ratios")
    arguments = parser.parse_args()
    table: list[list[Any]] = []
    document: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        devices.pin()
        paths = images(Path(folder), arguments.images)
        for name in arguments.models.split(","):
            (home := Path(folder) / name).mkdir()
            case = Case(name, home)
            difference = np.abs(np.subtract(case.ours(paths), case.plain(paths))).max()  # Also warms up.
            for count in (1, len(paths)):
                pairs = [
                    (seconds(lambda: case.ours(paths[:count])), seconds(lambda: case.plain(paths[:count])))  # noqa: B023
                    for _ in range(arguments.repeats)
                ]
                ratio = median(ours / plain for ours, plain in pairs)
                ours, plain = (median(side) for side in zip(*pairs, strict=True))
                table.append([name, count, f"{ours:.2f}", f"{plain:.2f}", f"{ratio:.2f}", f"{difference:.1e}"])
                document |= {f"{name}_{count}_seconds": ours, f"{name}_{count}_vs_plain": ratio}
    print(tabulate(table, ["network", "images", "score s", "plain loop s", "ratio", "max. logit difference"]))
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
