"""Perturbations: applied to both classes of a test slice after its protocol, to measure a detector's robustness."""

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
    """Raise UserError for an unknown perturbation."""
    if not _JPEG.fullmatch(name):
        raise UserError(
            f"There is no perturbation {name!r}.",
            "Known: jpeg1 … jpeg100, one JPEG encoding at that quality with 4:2:0 chroma.",
            "Use jpeg75, for example.",
        )


def perturbed(name: str, slice_: Slice) -> Slice:
    """The slice with a perturbation applied to its images. Raises UserError for an unknown perturbation."""
    check_perturbation(name)
    recipe = Recipe("jpeg", JPEG_VERSION, {"quality": int(name.removeprefix("jpeg"))}, inputs={"image": slice_.image})
    return replace(slice_, image=recipe)


def perform(recipe: Recipe, rgb: RGB) -> RGB:
    """Apply the recipe of a perturbation to one image: uint8 [H, W, 3], same shape out."""
    return jpeg.recompress(rgb, jpeg.plain(recipe.params["quality"]))
