"""Community Forensics' augmentation: eleven changes, each none, one or two times, in a random order.

JeongsooP/Community-Forensics@5ec815f:custom_transforms.py (RandomStateAugmentation), with the same functions of
torchvision. All randomness comes from the generator that is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from bench.artefacts.geometry import crop, resize_short_side
from methods._shared.augment import opencv_jpeg, pillow_jpeg

RGB = NDArray[np.uint8]
Rng = np.random.Generator
_Change = Callable[[RGB, int, Rng], RGB]
_FILTERS = tuple(Image.Resampling)
_SMOOTH = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
#: How often a change is made at most.
_MOST = 2
#: The largest share of a side that is padded, shifted; the largest angle in degrees.
_PADDING, _SHIFT, _ANGLE = 0.05, 0.1, 15.0


def _image(rgb: RGB) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(rgb))


def _jpeg(rgb: RGB, size: int, rng: Rng) -> RGB:
    quality = int(rng.integers(75, 101))
    if rng.random() < 0.5:
        return pillow_jpeg(np.ascontiguousarray(rgb), quality)
    return opencv_jpeg(rgb[:, :, ::-1], quality)[:, :, ::-1]


def _resize(rgb: RGB, size: int, rng: Rng) -> RGB:
    side = int(rng.integers(size + 1, max(round(1.228 * size), size + 1) + 1))
    return resize_short_side(np.ascontiguousarray(rgb), side, _SMOOTH[int(rng.integers(2))])


def _crop(rgb: RGB, size: int, rng: Rng) -> RGB:
    return crop(rgb, size, rng)


def _mirror(rgb: RGB, size: int, rng: Rng) -> RGB:
    return rgb[:, ::-1] if rng.random() < 0.5 else rgb


def _turn(rgb: RGB, size: int, rng: Rng) -> RGB:
    return rgb[::-1] if rng.random() < 0.5 else rgb


def _part(rgb: RGB, size: int, rng: Rng) -> RGB:
    """A part of 90 to 100 % of the area with sides as 3 : 4 to 4 : 3; its shorter side becomes ``size``.

    If no such part fits after ten draws, it is the largest one in the middle. Its sides keep their ratio: the official
    class replaces the pair of sides, from which torchvision would make a square, by one number.
    """
    height, width = rgb.shape[:2]
    place: Rng | None = rng
    for _ in range(10):
        area = height * width * rng.uniform(0.9, 1.0)
        ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if wide <= width and high <= height:
            break
    else:
        wide, high, place = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3)), None
    part = crop(rgb, (high, wide), place, "albumentations")
    return resize_short_side(np.ascontiguousarray(part), size, _FILTERS[int(rng.integers(len(_FILTERS)))])


def warped(rgb: RGB, shift: tuple[int, int], shear: tuple[float, float]) -> RGB:
    """Shift by pixels and shear by degrees about the centre, both (x, y); bilinear, black outside."""
    made = F.affine(_image(rgb), 0.0, list(shift), 1.0, list(shear), InterpolationMode.BILINEAR)
    return np.asarray(made)


def _rotate(rgb: RGB, size: int, rng: Rng) -> RGB:
    return np.asarray(_image(rgb).rotate(rng.uniform(-_ANGLE, _ANGLE), Image.Resampling.BILINEAR))


def _shift(rgb: RGB, size: int, rng: Rng) -> RGB:
    across, down = (round(rng.uniform(-_SHIFT, _SHIFT) * side) for side in rgb.shape[1::-1])
    return warped(rgb, (across, down), (0.0, 0.0))


def _shear(rgb: RGB, size: int, rng: Rng) -> RGB:
    return warped(rgb, (0, 0), (rng.uniform(-_ANGLE, _ANGLE), rng.uniform(-_ANGLE, _ANGLE)))


def _pad(rgb: RGB, size: int, rng: Rng) -> RGB:
    """One grey around the image, which is then as large as before, but with height and width swapped.

    The official code gives Pillow's (width, height) to a function that expects (height, width).
    """
    widths = [[int(rng.uniform(0, _PADDING) * side) for _ in range(2)] for side in rgb.shape[:2]]
    padded = np.pad(rgb, (*widths, (0, 0)), constant_values=int(rng.integers(256)))
    return np.asarray(_image(padded).resize(rgb.shape[:2], Image.Resampling.BILINEAR))


def _cut_out(rgb: RGB, size: int, rng: Rng) -> RGB:
    """With probability 0.5, a rectangle of 2 to 6 % of the area with sides as 0.3 to 3.3 becomes one grey."""
    if rng.random() >= 0.5:
        return rgb
    height, width = rgb.shape[:2]
    area = height * width * rng.uniform(0.02, 0.06)
    ratio = math.exp(rng.uniform(math.log(0.3), math.log(3.3)))
    high = min(max(1, round(math.sqrt(area * ratio))), height)
    wide = min(max(1, round(math.sqrt(area / ratio))), width)
    top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    made = np.array(rgb)
    made[top : top + high, left : left + wide] = int(rng.integers(256))
    return made


CHANGES: tuple[_Change, ...] = (
    *(_jpeg, _resize, _crop, _mirror, _turn, _part, _rotate, _shift, _shear, _pad, _cut_out),
)


def changed(rgb: RGB, size: int, rng: Rng) -> RGB:
    """An image [H, W, 3] after all its changes; its sides stay at least ``size``."""
    counts = [int(rng.integers(_MOST + 1)) for _ in CHANGES]
    order = [change for change, count in zip(CHANGES, counts, strict=True) for _ in range(count)]
    for number in rng.permutation(len(order)):
        rgb = order[number](rgb, size, rng)
    return rgb
