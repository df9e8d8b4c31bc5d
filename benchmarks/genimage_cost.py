"""Compute what the reconstructions of all of GenImage cost: network evaluations, operations, hours of a GPU, disk.

    python -m benchmarks.genimage_cost [--tflops 370] [--json FILE]

The paper suite is planned for a fabricated copy of GenImage (`benchmarks.planning`) at a hundredth of its size, and the
counts are multiplied: 324,000 training images of SD v1.4 and 100,000 test images, with the sizes that real ones have.
Operations are counted by torch on networks of the real sizes without values. `--tflops` is what a card sustains: the
370 of the default are what SARE's reconstructions reached on an H200 with compiled networks, 8.4 per second (see
`docs/performance.md`). Nothing is computed, so any machine will do.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from tabulate import tabulate
from torch.utils.flop_counter import FlopCounterMode
from transformers import BlipVisionConfig, BlipVisionModel

from bench.cli.run_options import RunOptions
from bench.cli.setup import check, plan_of
from bench.nets.adm import ADM, Shape
from bench.planning.chunks import view_sizes
from bench.planning.estimate import estimate_bytes, forwards
from bench.progress import Progress
from bench.recipe import Recipe
from bench.types import Item, Job
from benchmarks.output import keep
from benchmarks.planning import fabricate
from tools.full_size import UNET, VAE

#: The real number of images over the number that is planned.
SCALE = 100
IMAGES, TEST_SHARE = 424_000, 100 / 424
#: Encodings and decodings by the VAE per image; the other forwards of these engines are the UNet's.
VAES = {"sd_img2img": (1, 1), "sd_inpaint": (1, 1), "txt2img": (0, 1), "ddim_inversion": (1, 1), "latent_error": (1, 0)}
#: Methods whose reconstructions are counted, each alone.
METHODS = ("lare2", "dire", "dire[adm]", "drct", "drct_sare", "semgir", "defake")


def _count(network: Any, *words: Any, **named: Any) -> float:  # noqa: ANN401 - networks of several libraries
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(*words, **named)
    return float(counter.get_total_flops())


@cache
def operations(network: str, side: int) -> float:
    """Operations of one evaluation on one square image."""
    with torch.device("meta"):
        if network == "unet":
            text, latents = torch.empty(1, 77, UNET["cross_attention_dim"]), torch.empty(1, 4, side // 8, side // 8)
            return _count(UNet2DConditionModel(**UNET), latents, torch.tensor(500), encoder_hidden_states=text)
        if network == "adm":
            return _count(ADM(Shape()), torch.empty(1, 3, side, side), torch.empty(1))
        if network == "blip":
            return _count(BlipVisionModel(BlipVisionConfig(image_size=384)), torch.empty(1, 3, 384, 384))
        vae = AutoencoderKL(**VAE)
        if network == "encode":
            return _count(vae.encode, torch.empty(1, 3, side, side))
        return _count(vae.decode, torch.empty(1, 4, side // 8, side // 8))


def of_one(recipe: Recipe, pixels: float) -> float:
    """Operations for an artefact whose view has a number of pixels; 0 for networks that cost little in comparison."""
    if recipe.engine in VAES:
        encoded, decoded = VAES[recipe.engine]
        passes = {"unet": forwards(recipe) - encoded - decoded, "encode": encoded, "decode": decoded}
        side = max(64, round(pixels**0.5 / 64) * 64)  # A square of about as many pixels.
        return float(pixels / side**2) * sum(count * operations(name, side) for name, count in passes.items())
    if recipe.engine == "adm_inversion":
        return forwards(recipe) * operations("adm", int(recipe.params["size"]))
    return operations("blip", 384) if recipe.engine == "blip" else 0.0


def cost(method: str, home: Path) -> dict[str, float]:
    """Artefacts, forwards, operations and bytes of one method on all of GenImage."""
    places: Mapping[str, Any] = {"data": str(home / "data"), "store": home / "store", "results": home / "results"}
    options = RunOptions(methods=method, suite="paper", models="mini", protocols="raw", device="cpu", **places)
    plan = plan_of(check(options, Progress()), options, Progress())
    needed: dict[str, dict[str, tuple[Job, Item]]] = {}
    for job in plan.jobs:
        needed.setdefault(job.recipe.key, {}).update({item.image_id: (job, item) for item in job.slice.usable})
    total = dict.fromkeys(("artefacts", "forwards", "flop", "bytes"), 0.0)
    for pairs in needed.values():
        recipe = next(iter(pairs.values()))[0].recipe
        sizes = [view_sizes(job, [item])[0] for job, item in pairs.values()]
        pixels = mean(height * width for height, width in sizes)
        total["artefacts"] += SCALE * len(pairs)
        total["forwards"] += SCALE * len(pairs) * forwards(recipe)
        total["flop"] += SCALE * len(pairs) * of_one(recipe, pixels)
        total["bytes"] += SCALE * len(pairs) * estimate_bytes(recipe, pixels)
    return total


def main() -> None:
    """Plan, count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tflops", type=float, default=370.0, help="operations that a card sustains, 10¹² per second")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    if arguments.tflops <= 0:
        parser.error("--tflops must be above 0")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fabricate(home, IMAGES // SCALE, TEST_SHARE)
        found = {method: cost(method, home) for method in METHODS}
    table = []
    for method, row in found.items():
        row["gpu_hours"] = row["flop"] / (1e12 * arguments.tflops) / 3600
        each, hours = row["flop"] / max(1.0, row["artefacts"]) / 1e12, row["gpu_hours"]
        counts = (f"{row['artefacts']:,.0f}", f"{row['forwards'] / 1e6:,.1f}")
        table.append((method, *counts, f"{each:.1f}", f"{hours:,.1f}", f"{row['bytes'] / 1e9:,.0f}"))
    headers = ("method", "artefacts", "10⁶ forwards", "TFLOP each", "GPU hours", "GB")
    print(tabulate(table, headers=headers, disable_numparse=True, tablefmt="github"))
    keep(found, arguments.json)


if __name__ == "__main__":
    main()
