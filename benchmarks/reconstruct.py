"""Compare reconstruction by this package with diffusers' own pipelines, one image at a time and in batches.

    python -m benchmarks.reconstruct [--images N] [--full-size] [--device cuda] [--precision bf16] [--json FILE]

SARE's recipe (caption, strength 0.5, 25 guided steps) and DRCT's (inpainting, 50 steps), on images of three shapes. All
sides read image files and write what they make: this package into its store, the pipelines into a folder. They
alternate in one process, `--repeats` times; medians are printed. Weights are the miniature's, or with `--full-size`
random ones of Stable Diffusion's size at 512 px. On a GPU, every side runs once before it is timed, and this package
compiles its networks in that run, as it does in a long job. The machine should be idle.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from diffusers.utils import logging
from PIL import Image
from tabulate import tabulate
from torch.utils.flop_counter import FlopCounterMode

from bench import device as devices
from bench import discover
from bench.artefacts.batching import Batcher, noise, produce
from bench.artefacts.engines import blip, sd_img2img, sd_inpaint
from bench.artefacts.geometry import RGB, fit_long_side
from bench.artefacts.reader import Reader
from bench.artefacts.store import Store
from bench.data.decode import decode
from bench.models.zoo import Zoo
from bench.numerics import Numerics, autocast, choose, dtype
from bench.planning.chunks import chunks
from bench.progress import Meter
from bench.recipe import SOURCE, Recipe
from bench.types import Item, Job, Slice
from benchmarks.output import keep
from benchmarks.pictures import SHAPES, images
from tools.full_size import FullSize

CAPTION = "a red disc on grass"
_DRAWS = "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img.randn_tensor"


class Ours:
    """An engine of this package, loaded, with a job over some image files."""

    def __init__(self, recipe: Recipe, items: Sequence[Item], zoo: Zoo, device: str, root: Path) -> None:
        self.recipe, self.numerics = recipe, zoo.numerics
        self.engine = discover.engine(recipe.engine)()
        self.engine.load(recipe, zoo, device, Meter())
        self.job = Job(recipe, Slice("genimage", "sdv14", "test", tuple(items)))
        self._device, self._root, self.runs = device, root, 0
        self.model: Any = vars(self.engine)["_model"]
        self.captions = {item.image_id: CAPTION.encode() for item in items}

    def captioned(self) -> Store:
        """A new store with a caption of every image."""
        self.runs += 1
        store = Store(self._root / f"store-{self.recipe.engine}-{self.runs}")
        caption = self.recipe.inputs.get("caption")
        if isinstance(caption, Recipe):
            with store.writer(caption, "txt") as writer:
                writer.put(self.captions)
        return store

    def compile_at_once(self) -> None:
        """Compile networks, if they may be, when they are first evaluated."""
        for network in self.model.networks.values():
            network.after = min(network.after, 1)

    def run(self) -> float:
        """Make every artefact, from files into a new store; returns the seconds."""
        store = self.captioned()
        context = lambda: autocast(self._device, self.numerics.half if self.engine.half else "")  # noqa: E731
        threads = ThreadPoolExecutor(min(8, os.cpu_count() or 1)) if self._device == "cuda" else None
        batcher = Batcher(self.engine, self.numerics.exact, threads, context=context)
        started = time.perf_counter()
        with store.writer(self.recipe, self.engine.payload) as writer:
            for chunk in chunks(self.job):
                writer.put(produce(self.job, chunk, batcher, Reader(store)))
        self.store = store
        return time.perf_counter() - started


class Theirs:
    """A pipeline of diffusers with the same parts."""

    def __init__(self, kind: Any, ours: Ours, zoo: Zoo, side: int, root: Path) -> None:  # noqa: ANN401 - no types
        model = ours.model
        (role,) = ours.recipe.weights
        schedule = DDIMScheduler.from_pretrained(zoo.folder(role) / "scheduler")
        vae = deepcopy(model.vae).to(model.unet.dtype)  # The pipeline needs all of its parts in one precision.
        parts = {"vae": vae, "unet": model.unet, "text_encoder": model.text_encoder}
        parts |= {"tokenizer": model.tokenizer, "scheduler": schedule}
        parts |= {"safety_checker": None, "feature_extractor": None}
        self.pipeline = kind(**parts, requires_safety_checker=False)
        self.pipeline.set_progress_bar_config(disable=True)
        self._items, self._side, self._root = ours.job.slice.items, side, root
        self._inpaints = kind is StableDiffusionInpaintPipeline

    def run(self, batch: int) -> float:
        """Make every image, from files into PNG files; returns the seconds."""
        started = time.perf_counter()
        by_shape: dict[tuple[int, ...], list[tuple[str, Image.Image]]] = defaultdict(list)
        for item in self._items:
            view = fit_long_side(decode(item.path.read_bytes()).rgb, self._side, 8)
            by_shape[view.shape].append((item.image_id, Image.fromarray(view)))
        for same in by_shape.values():
            for start in range(0, len(same), batch):
                part = same[start : start + batch]
                for (name, _), made in zip(part, self._call([image for _, image in part]), strict=True):
                    made.save(self._root / f"{name}.png", compress_level=1)
        return time.perf_counter() - started

    def _call(self, images: list[Image.Image]) -> list[Image.Image]:
        options: dict[str, Any] = {"image": images, "num_inference_steps": 50, "guidance_scale": 7.5}
        if self._inpaints:
            size = {"width": images[0].width, "height": images[0].height}
            masks = [Image.new("L", image.size, 0) for image in images]
            options |= {"prompt": [""] * len(images), "mask_image": masks, "strength": 1.0, **size}
        else:
            options |= {"prompt": [CAPTION] * len(images), "strength": 0.5}
        made: list[Image.Image] = self.pipeline(**options).images
        return made


def forward_share(ours: Ours, device: str) -> float:
    """Share of a run's wall time that is spent in the networks."""
    spent = 0.0

    def timed(network: Callable[..., Any]) -> Callable[..., Any]:
        def run(*inputs: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever the network takes
            nonlocal spent
            begun = now(device)
            output = network(*inputs, **options)
            spent += now(device) - begun
            return output

        return run

    model = ours.model
    before = dict(model.networks)
    try:
        model.networks.update({name: timed(network) for name, network in before.items()})
        with mock.patch.object(model, "_encode_texts", timed(model._encode_texts)):
            seconds = ours.run()
    finally:
        model.networks.update(before)
    return spent / seconds


def now(device: str) -> float:
    """The time, once the device has nothing left to do."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def difference(ours: Ours, theirs: Theirs, item: Item, side: int) -> int:
    """Largest difference in levels between both reconstructions of one image, given the same noise."""
    made = decode(ours.store.get(ours.recipe, item.image_id)).rgb
    view: RGB = fit_long_side(decode(item.path.read_bytes()).rgb, side, 8)
    model = ours.model
    shape = model.latent_shape(view)
    draws = [model.tensor([noise(f"{item.image_id} {kind}", 0, shape)]) for kind in ("posterior", "forward")]

    def drawn(shape: Sequence[int], **options: Any) -> torch.Tensor:  # noqa: ANN401 - as diffusers calls it
        taken: torch.Tensor = draws.pop(0).reshape(shape)
        return taken.to(options.get("dtype") or torch.float32)

    with mock.patch("diffusers.models.autoencoders.vae.randn_tensor", drawn), mock.patch(_DRAWS, drawn):
        (other,) = theirs._call([Image.fromarray(view)])
    return int(np.abs(made.astype(int) - np.asarray(other, int)).max())


def flops(ours: Ours) -> float:
    """Floating point operations of one image, counted while one is made."""
    one = ours.job.slice.items[:1]
    job, counter = Job(ours.recipe, Slice("genimage", "sdv14", "test", one)), FlopCounterMode(display=False)
    with counter:
        produce(job, one, Batcher(ours.engine, exact=False), Reader(ours.captioned()))
    return float(counter.get_total_flops())


def matmul_rate(device: str, half: str) -> float:
    """Operations per second of a large matrix product in the precision of the networks."""
    side = 8192 if device == "cuda" else 1024
    a, times = torch.randn(side, side, device=device, dtype=dtype(half)), []
    for _ in range(12):
        started = time.perf_counter()
        a @ a
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return float(2 * side**3 / median(times[2:]))


def measure(
    root: Path, items: list[Item], repeats: int, side: int, zoo: Zoo, device: str, only: str = ""
) -> dict[str, float]:
    """All figures; ``only`` those of ``sare`` or ``drct``."""
    count = len(items)
    (root / "made").mkdir()
    guided = zoo.resolve(sd_img2img.recipe(blip.recipe(), long_side=side).bind(SOURCE))
    filled = zoo.resolve(sd_inpaint.recipe(max_size=side).bind(SOURCE))
    figures: dict[str, float] = {"images": count}
    runs: dict[str, Callable[[], float]] = {}
    if only != "drct":
        sare = Ours(guided, items, zoo, device, root)
        img2img = Theirs(StableDiffusionImg2ImgPipeline, sare, zoo, side, root / "made")
        figures["flops_per_image"] = flops(sare)
        sare.compile_at_once()
        runs |= {"ours": sare.run, "one": partial(img2img.run, 1), "batched": partial(img2img.run, sare.engine.batch)}
    if only != "sare":
        drct = Ours(filled, items, zoo, device, root)
        inpaint = Theirs(StableDiffusionInpaintPipeline, drct, zoo, side, root / "made")
        drct.compile_at_once()
        runs |= {"inpaint": drct.run, "inpaint batched": partial(inpaint.run, drct.engine.batch)}
    taken = _seconds(runs, repeats, warm=device == "cuda")
    if only != "drct":
        figures["images_per_s"] = count / taken["ours"]
        figures["vs_pipeline_one"] = taken["one"] / taken["ours"]
        figures["vs_pipeline_batched"] = taken["batched"] / taken["ours"]
        figures["max_abs_difference"] = max(difference(sare, img2img, item, side) for item in items[: len(SHAPES)])
        figures["matmul_flops_per_s"] = matmul_rate(device, zoo.numerics.half)
        figures["mfu"] = figures["flops_per_image"] * figures["images_per_s"] / figures["matmul_flops_per_s"]
        figures["forward_share"] = forward_share(sare, device)
    if only != "sare":
        figures["inpaint_images_per_s"] = count / taken["inpaint"]
        figures["inpaint_vs_pipeline_batched"] = taken["inpaint batched"] / taken["inpaint"]
    return figures


def _seconds(runs: dict[str, Callable[[], float]], repeats: int, warm: bool) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + warm):
        for name, run in runs.items():
            if name == "one" and repeat < warm:
                continue  # Its kernels need no search.
            taken = run()
            print(f"{name}: {taken:.1f} s", flush=True)
            if repeat >= warm:
                seconds[name].append(taken)
    return {name: median(times) for name, times in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=48, help="number of images")
    parser.add_argument("--repeats", type=int, default=3, help="how often every side runs")
    parser.add_argument("--full-size", action="store_true", help="random weights of Stable Diffusion v1's size")
    parser.add_argument("--shapes", type=int, choices=(1, 2, 3), default=3, help="number of shapes of the images")
    parser.add_argument("--only", choices=("sare", "drct"), default="", help="only one of the two reconstructions")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="where random weights are kept for another run")
    parser.add_argument("--side", type=int, help="longer side of the images in pixels (64, full size 512)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="auto", help="auto, fp32, tf32, bf16 or fp16")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    numerics: Numerics = choose(arguments.precision, None, arguments.device)
    devices.pin(numerics.precision, numerics.exact, arguments.device)
    side = arguments.side or (512 if arguments.full_size else 64)
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        weights = arguments.weights or root / "models"
        zoo = FullSize(weights, numerics) if arguments.full_size else Zoo("mini", numerics=numerics)
        (root / "images").mkdir()
        items = images(root / "images", arguments.images, side, arguments.shapes)
        figures = measure(root, items, arguments.repeats, side, zoo, arguments.device, arguments.only)
    print(tabulate([(name, f"{value:,.3g}") for name, value in figures.items()], headers=("figure", "value")))
    print("vs_…: the time of diffusers' pipeline over ours; above 1 this package is faster")
    keep(figures, arguments.json)


if __name__ == "__main__":
    main()
