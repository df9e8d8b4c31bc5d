"""The pixel error between an image and an artefact made of it, as one number: DIRE's mean (arXiv 2303.09295), or PSNR.

No network is evaluated. SARE's Figure 2 shows |x − x̂| of DIRE; SemGIR's Table 3 has the PSNR of its regenerations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.artefacts.engine import RGB, Engine, Request
from bench.artefacts.geometry import center_crop_arr, fit_long_side, limit_sides
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import IMAGE, Recipe

#: PSNR of two equal images, for which it would be infinite; 8-bit images that differ in one value have less.
EQUAL_DB = 150.0


def recipe(reconstruction: Recipe, measure: Literal["mae", "psnr"] = "mae", image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the error of ``reconstruction``: ``mae`` in 0…1, the mean of |x − x̂| / 255, or ``psnr`` in dB."""
    params = {"measure": measure, **geometry(reconstruction)}
    inputs = {"image": image, "reconstruction": reconstruction}
    return Recipe("pixel_error", PixelError.version, params, inputs=inputs)


def geometry(reconstruction: Recipe) -> dict[str, Any]:
    """How the engine of a reconstruction cuts an image before it reconstructs it: parameters of :func:`beside`."""
    params = reconstruction.params
    if "long_side" in params:
        return {"long_side": params["long_side"], "multiple": params["multiple"]}
    if "max_size" in params:
        return {"max_size": params["max_size"]}
    return {"crop": params["size"]} if reconstruction.engine in ("ddim_inversion", "adm_inversion") else {}


def beside(rgb: RGB, shape: tuple[int, int], params: Mapping[str, Any]) -> RGB:
    """The image uint8 [H, W, 3] as its reconstruction of height and width ``shape`` shows it.

    It is cut as ``params`` say (:func:`geometry`), and resized (bicubic) if it still has another size.
    """
    if "long_side" in params:
        rgb = fit_long_side(rgb, params["long_side"], params["multiple"])
    elif "max_size" in params:
        rgb = limit_sides(rgb, params["max_size"])
    elif "crop" in params:
        rgb = center_crop_arr(rgb, params["crop"])
    if rgb.shape[:2] == shape:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize(shape[::-1], Image.Resampling.BICUBIC))


def error(one: NDArray[np.uint8], other: NDArray[np.uint8], measure: str) -> float:
    """``mae`` in 0…1 or ``psnr`` in dB of two images uint8 [H, W, 3]; equal images have :data:`EQUAL_DB`."""
    gap = one.astype(np.float64) - other.astype(np.float64)
    if measure == "mae":
        return float(np.abs(gap).mean() / 255)
    square = float(np.square(gap).mean())
    return 10 * math.log10(255**2 / square) if square else EQUAL_DB


class PixelError(Engine):
    """Image, reconstruction → one number, at the reconstruction's size."""

    name = "pixel_error"
    version = 1
    payload = "json"
    batch = 32
    seconds = 0.002

    def forwards(self, recipe: Recipe) -> int:
        """Zero: no network is evaluated."""
        return 0

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """The reconstruction's."""
        return sizes["reconstruction"]

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """There is nothing to load."""
        self._params = recipe.params

    def view(self, request: Request) -> RGB:
        """The image as the reconstruction shows it."""
        return beside(request.rgb, request.inputs["reconstruction"].shape[:2], self._params)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[float]:
        """Errors."""
        made = (request.inputs["reconstruction"] for request in requests)
        return [error(view, image, self._params["measure"]) for view, image in zip(views, made, strict=True)]


ENGINE = PixelError
