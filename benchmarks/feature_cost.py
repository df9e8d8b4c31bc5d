"""Measure what the reconstructions of each method cost per image: seconds, network evaluations, operations.

    python -m benchmarks.feature_cost [--images N] [--repeats N] [--full-size] [--figure FILE.png] [--json FILE]

Every method has the step counts of its paper: DIRE 20 + 20 with ADM or Stable Diffusion, LaRE² four noise draws at one
timestep, SARE 25 guided steps and a caption, DRCT 50 steps of inpainting, SemGIR 50 guided steps and a caption. All run
in turn in one process, in batches of their engine's size, on images that are in memory. Sizes are the miniature's, an
eighth of the papers' (`--full-size`: those, with random weights). LaRE²'s Figure 1(c) claims that it is 8 times as fast
as DIRE. The machine should be idle.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import matplotlib as mpl
import numpy as np
from PIL import Image
from tabulate import tabulate
from torch.utils.flop_counter import FlopCounterMode

from bench import device as devices
from bench import discover
from bench.artefacts.batching import Batcher
from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.engines import (
    adm_inversion,
    blip,
    ddim_inversion,
    latent_error,
    sd_img2img,
    sd_inpaint,
    txt2img,
)
from bench.models.zoo import Zoo
from bench.numerics import autocast, choose
from bench.progress import Meter
from bench.recipe import SOURCE, Recipe
from benchmarks.output import keep
from tools.full_size import FullSize

CAPTION = "a red disc on grass"
TITLES = {"dire": "DIRE (ADM)", "dire_sd": "DIRE (SD)", "lare2": "LaRE²", "sare": "SARE", "drct": "DRCT"}
TITLES |= {"semgir": "SemGIR"}


def recipes(scale: int) -> dict[str, tuple[Recipe, ...]]:
    """The recipes of every method's test features, at 1 / ``scale`` of the papers' sizes."""
    caption = blip.recipe()
    return {
        "dire": (adm_inversion.recipe(20, 256 // scale),),
        "dire_sd": (ddim_inversion.recipe(20, 512 // scale),),
        "lare2": (latent_error.recipe(size=256 // scale),),
        "sare": (caption, sd_img2img.recipe(caption, long_side=512 // scale)),
        "drct": (sd_inpaint.recipe(max_size=512 // scale),),
        "semgir": (caption, txt2img.recipe(caption, role="sdv1", size=512 // scale)),
    }


class Feature:
    """The engines of one method's features, loaded."""

    def __init__(self, made: tuple[Recipe, ...], zoo: Zoo, device: str) -> None:
        self.recipes = [zoo.resolve(recipe.bind(SOURCE)) for recipe in made]
        self.engines = [discover.engine(recipe.engine)() for recipe in self.recipes]
        self._zoo, self._device = zoo, device
        for engine, recipe in zip(self.engines, self.recipes, strict=True):
            engine.load(recipe, zoo, device, Meter())

    @property
    def forwards(self) -> int:
        """Network evaluations per image."""
        return sum(e.forwards(recipe) for e, recipe in zip(self.engines, self.recipes, strict=True))

    def run(self, pictures: list[RGB]) -> None:
        """Make the features of some images."""
        for engine in self.engines:
            half = self._zoo.numerics.half if engine.half else ""
            batcher = Batcher(engine, exact=False, context=partial(autocast, self._device, half))
            batcher.make(partial(_request, number, rgb, engine) for number, rgb in enumerate(pictures))


def _request(number: int, rgb: RGB, engine: Engine) -> Request:
    return Request(f"{number:032x}", rgb, {} if engine.name == "blip" else {"caption": CAPTION})


def measure(zoo: Zoo, scale: int, count: int, repeats: int, device: str) -> dict[str, float]:
    """All figures."""
    side = 512 // scale
    rng = np.random.default_rng(0)
    coarse = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(count)]
    pictures = [np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)) for image in coarse]
    features = {name: Feature(made, zoo, device) for name, made in recipes(scale).items()}
    seconds: dict[str, list[float]] = {name: [] for name in features}
    for _ in range(repeats + 1):
        for name, feature in features.items():
            started = time.perf_counter()
            feature.run(pictures)
            seconds[name].append((time.perf_counter() - started) / count)
    figures: dict[str, float] = {"images": count}
    for name, feature in features.items():
        counter = FlopCounterMode(display=False)
        with counter:
            feature.run(pictures[:1])
        figures[f"{name}_seconds"] = median(seconds[name][1:])  # The first run is a warm-up.
        figures[f"{name}_forwards"] = feature.forwards
        figures[f"{name}_flops"] = counter.get_total_flops()
    figures["dire_over_lare2"] = figures["dire_seconds"] / figures["lare2_seconds"]
    figures["dire_sd_over_lare2"] = figures["dire_sd_seconds"] / figures["lare2_seconds"]
    figures["dire_over_lare2_flops"] = figures["dire_flops"] / figures["lare2_flops"]
    return figures


def draw(figures: dict[str, float], path: Path) -> None:
    """Seconds per image of every method, as LaRE²'s Figure 1(c) shows them."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = sorted(TITLES, key=lambda name: figures[f"{name}_seconds"])
    times = [figures[f"{name}_seconds"] for name in names]
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    bars = axes.barh([TITLES[name] for name in names], times, color="0.5")
    counts = [f"{figures[f'{name}_forwards']:.0f} forwards" for name in names]
    axes.bar_label(bars, [f"{time:.3g} s, {count}" for time, count in zip(times, counts, strict=True)])
    axes.set(xlabel="seconds per image", xlim=(0, 1.5 * max(times)), title="Cost of the reconstructions")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32, help="number of images")
    parser.add_argument("--repeats", type=int, default=3, help="how often every method runs after a warm-up")
    parser.add_argument("--full-size", action="store_true", help="random weights and images of the papers' sizes")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="auto", help="auto, fp32, tf32, bf16 or fp16")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw seconds per image")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    numerics = choose(arguments.precision, None, arguments.device)
    devices.pin(numerics.precision, numerics.exact, arguments.device)
    with tempfile.TemporaryDirectory() as home:
        zoo = FullSize(Path(home), numerics) if arguments.full_size else Zoo("mini", numerics=numerics)
        scale = 1 if arguments.full_size else 8
        figures = measure(zoo, scale, arguments.images, arguments.repeats, arguments.device)
    lines = [
        (title, *(f"{figures[f'{name}_{what}']:,.4g}" for what in ("seconds", "forwards", "flops")))
        for name, title in TITLES.items()
    ]
    print(tabulate(lines, headers=("features of", "seconds per image", "forwards", "operations")))
    for name in ("dire_over_lare2", "dire_sd_over_lare2", "dire_over_lare2_flops"):
        print(f"{name}: {figures[name]:.1f}")
    if arguments.figure:
        draw(figures, arguments.figure)
    keep(figures, arguments.json)


if __name__ == "__main__":
    main()
