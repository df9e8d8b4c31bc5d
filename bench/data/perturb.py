"""Perturbations: what is done to both classes of a test slice on top of its protocol, to see what a score survives."""

from __future__ import annotations

import re
from dataclasses import replace

from bench.data import jpeg
from bench.data.decode import RGB
from bench.errors import UserError
from bench.recipe import Recipe
from bench.types import Slice

JPEG_VERSION = 1
_JPEG = re.compile(r"jpeg([1-9][0-9]?|100)")


def check_perturbation(name: str) -> None:
    """Raise UserError for a word that names no perturbation."""
    if not _JPEG.fullmatch(name):
        raise UserError(
            f"There is no perturbation {name!r}.",
            "Known: jpeg1 … jpeg100, one JPEG encoding at that quality with 4:2:0 chroma.",
            "Write jpeg75, say.",
        )


def perturbed(name: str, part: Slice) -> Slice:
    """A slice whose images are those of ``part`` after a perturbation. Raises UserError for an unknown one."""
    check_perturbation(name)
    recipe = Recipe("jpeg", JPEG_VERSION, {"quality": int(name.removeprefix("jpeg"))}, inputs={"image": part.image})
    return replace(part, image=recipe)


def perform(recipe: Recipe, rgb: RGB) -> RGB:
    """What a perturbation's recipe does to one image: uint8 [H, W, 3] to the same size."""
    return jpeg.recompress(rgb, jpeg.plain(recipe.params["quality"]))
