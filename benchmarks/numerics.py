"""Measure what batches and precision change in artefacts, on the miniature and a CPU.

    python -m benchmarks.numerics [--images N] [--json FILE]

For the features of every method (see `benchmarks.feature_cost`): how many images have the same bytes in batches of 8,
4, 2 and 1 as in one batch, and by how many grey levels reconstructions in bf16 and fp16 differ from fp32 in the mean.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from bench import device as devices
from bench import discover
from bench.artefacts.batching import Batcher
from bench.artefacts.engine import RGB, Request
from bench.data.decode import decode
from bench.models.zoo import Zoo
from bench.numerics import Numerics, autocast
from bench.progress import Meter
from bench.recipe import SOURCE, Recipe
from benchmarks.feature_cost import CAPTION, recipes
from benchmarks.output import keep

BATCHES = (8, 4, 2, 1)


def made(recipe: Recipe, pictures: list[RGB], numerics: Numerics, batch: int) -> list[bytes]:
    """The encoded artefacts of some images in batches of one size."""
    zoo = Zoo("mini", numerics=numerics)
    kind = discover.engine(recipe.engine)
    engine = type(kind.__name__, (kind,), {"batch": batch})()
    engine.load(zoo.resolve(recipe.bind(SOURCE)), zoo, "cpu", Meter())
    batcher = Batcher(engine, context=partial(autocast, "cpu", numerics.half if engine.half else ""))
    inputs = {"caption": CAPTION} if "caption" in recipe.inputs else {}
    requests = (partial(Request, f"{number:032x}", rgb, inputs) for number, rgb in enumerate(pictures))
    return list(batcher.make(requests).values())


def levels(one: list[bytes], other: list[bytes]) -> float:
    """Mean difference of two sets of images, in grey levels."""
    pairs = zip(one, other, strict=True)
    return float(np.mean([np.abs(decode(a).rgb.astype(int) - decode(b).rgb.astype(int)).mean() for a, b in pairs]))


def measure(recipe: Recipe, pictures: list[RGB]) -> dict[str, Any]:
    """The figures of one recipe."""
    reference = made(recipe, pictures, Numerics(), len(pictures))
    figures: dict[str, Any] = {}
    for batch in BATCHES:
        other = made(recipe, pictures, Numerics(), batch)
        figures[f"same_in_{batch}"] = sum(a == b for a, b in zip(reference, other, strict=True))
    if discover.engine(recipe.engine).payload == "png":
        for precision in ("bf16", "fp16"):
            figures[precision] = levels(reference, made(recipe, pictures, Numerics(precision), len(pictures)))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16, help="number of images, all of them one batch")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    devices.pin()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(arguments.images)]
    distinct = {recipe.key: recipe for part in recipes(8).values() for recipe in part}
    figures = {recipe.engine: measure(recipe, pictures) for recipe in distinct.values()}
    print(tabulate([{"engine": name, **row} for name, row in figures.items()], headers="keys", floatfmt=".2f"))
    keep(figures, arguments.json)


if __name__ == "__main__":
    main()
