"""Perturbations: applied to both classes of a test slice after its protocol, to measure a detector's robustness.

They come before reconstructions, as on images that were shared. Every image keeps its height and width, so that sizes
say nothing; what makes an image smaller also enlarges it again.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from bench.data import jpeg
from bench.data.decode import RGB
from bench.errors import UserError
from bench.recipe import Recipe
from bench.types import Slice

JPEG_VERSION = 1
#: Version of every other perturbation.
VERSION = 1
_NUMBER = r"\d+(?:\.\d+)?"


@dataclass(frozen=True)
class Kind:
    """One kind of perturbation: what its number is, between which bounds, and how it is done.

    ``do`` takes an image uint8 [H, W, 3], the number and a random generator, and returns an image of the same shape.
    """

    what: str
    low: float
    high: float
    do: Callable[[RGB, float, np.random.Generator], RGB]
    whole: bool = False


def _resized(rgb: RGB, width: int, height: int, resample: Image.Resampling) -> RGB:
    return np.asarray(Image.fromarray(rgb).resize((width, height), resample))


def _jpeg(rgb: RGB, quality: float, _: np.random.Generator) -> RGB:
    return jpeg.recompress(rgb, jpeg.plain(int(quality)))


def _webp(rgb: RGB, quality: float, _: np.random.Generator) -> RGB:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "WEBP", quality=int(quality), method=4)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _blur(rgb: RGB, sigma: float, _: np.random.Generator) -> RGB:
    blurred = ndimage.gaussian_filter(rgb.astype(np.float64), (sigma, sigma, 0), mode="reflect")
    return np.asarray(blurred.round().clip(0, 255), np.uint8)


def _noise(rgb: RGB, sigma: float, rng: np.random.Generator) -> RGB:
    noisy = rgb + rng.normal(0.0, sigma, rgb.shape)
    return np.asarray(noisy.round().clip(0, 255), np.uint8)


def _back(rgb: RGB, percent: float, resample: Image.Resampling) -> RGB:
    """Smaller by one filter, and back to the old size by the same."""
    height, width = rgb.shape[:2]
    rows, columns = (max(1, round(side * percent / 100)) for side in (height, width))
    return _resized(_resized(rgb, columns, rows, resample), width, height, resample)


def _resize(rgb: RGB, percent: float, _: np.random.Generator) -> RGB:
    return _back(rgb, percent, Image.Resampling.BICUBIC)


def _screenshot(rgb: RGB, percent: float, _: np.random.Generator) -> RGB:
    """Shown at a zoom of ``percent`` by a screen's bilinear scaling, photographed losslessly and enlarged again."""
    return _back(rgb, percent, Image.Resampling.BILINEAR)


def _crop(rgb: RGB, percent: float, rng: np.random.Generator) -> RGB:
    """A window of ``percent`` of each side at a random place, enlarged to the old size."""
    height, width = rgb.shape[:2]
    rows, columns = (max(1, round(side * percent / 100)) for side in (height, width))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return _resized(rgb[top : top + rows, left : left + columns], width, height, Image.Resampling.BICUBIC)


def _limit(rgb: RGB, side: float, _: np.random.Generator) -> RGB:
    """The longer side made at most ``side`` pixels, and back to the old size."""
    percent = 100 * side / max(rgb.shape[:2])
    return rgb if percent >= 100 else _back(rgb, percent, Image.Resampling.BICUBIC)


#: Every kind by its name.
KINDS: Mapping[str, Kind] = {
    "jpeg": Kind("quality of one JPEG encoding with 4:2:0 chroma", 1, 100, _jpeg, whole=True),
    "webp": Kind("quality of one lossy WebP encoding", 1, 100, _webp, whole=True),
    "blur": Kind("standard deviation of a Gaussian blur, in pixels", 0.1, 20, _blur),
    "noise": Kind("standard deviation of Gaussian noise, in values of 8 bits", 0.1, 128, _noise),
    "resize": Kind("percent to which the sides are reduced, and enlarged again", 5, 99, _resize),
    "crop": Kind("percent of each side that a random window has, enlarged again", 5, 99, _crop),
    "screenshot": Kind("zoom in percent at which the image is shown, and enlarged again", 5, 99, _screenshot),
    "limit": Kind("longer side in pixels to which larger images are reduced, and enlarged again", 8, 10000, _limit),
}
#: What happens to images on their way: named chains of steps.
CHAINS: Mapping[str, tuple[str, ...]] = {
    "web": ("limit768", "jpeg60"),
    "hard": ("limit512", "jpeg40"),
    "shared": ("limit768", "jpeg60", "limit512", "jpeg40"),
}
_STEP = re.compile(rf"({'|'.join(KINDS)})({_NUMBER})")


def steps(name: str) -> list[tuple[str, float]]:
    """Kind and number of every step of a perturbation. Raises UserError for an unknown one."""
    return [_step(part, name) for part in CHAINS.get(name, (name,))]


def _step(part: str, name: str) -> tuple[str, float]:
    match = _STEP.fullmatch(part)
    if match:
        kind, number = KINDS[match[1]], float(match[2])
        if kind.low <= number <= kind.high and (number.is_integer() or not kind.whole):
            return match[1], number
    known = "; ".join(f"{n}N, N the {k.what} ({k.low:g} to {k.high:g})" for n, k in KINDS.items())
    chains = "; ".join(f"{n}: {' then '.join(parts)}" for n, parts in CHAINS.items())
    raise UserError(
        f"There is no perturbation {name!r}.", f"Known: {known}. Chains: {chains}.", "Use jpeg75 or web, for example."
    )


def check_perturbation(name: str) -> None:
    """Raise UserError for an unknown perturbation."""
    steps(name)


def perturbed(name: str, slice_: Slice) -> Slice:
    """The slice with a perturbation applied to its images. Raises UserError for an unknown perturbation."""
    done = steps(name)
    if [kind for kind, _ in done] == ["jpeg"]:
        recipe = Recipe("jpeg", JPEG_VERSION, {"quality": int(done[0][1])}, inputs={"image": slice_.image})
    else:
        recipe = Recipe("perturb", VERSION, {"steps": [list(step) for step in done]}, inputs={"image": slice_.image})
    return replace(slice_, image=recipe)


def perform(recipe: Recipe, rgb: RGB, identity: str = "") -> RGB:
    """Apply the recipe of a perturbation to one image: uint8 [H, W, 3], same shape out.

    ``identity`` is the image's; what is random follows from it and from the step's place alone.
    """
    if recipe.engine == "jpeg":
        return jpeg.recompress(rgb, jpeg.plain(recipe.params["quality"]))
    return _all(recipe.params["steps"], rgb, identity)


def _all(done: Sequence[Sequence[str | float]], rgb: RGB, identity: str) -> RGB:
    for place, (kind, number) in enumerate(done):
        seed = [place, *identity.encode()]
        rgb = KINDS[str(kind)].do(rgb, float(number), np.random.default_rng(seed))
    return rgb
