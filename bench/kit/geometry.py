"""Resizing and cropping rules that engines and methods share, on uint8 [H, W, 3]."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGB = NDArray[np.uint8]


def center_crop_arr(rgb: RGB, size: int) -> RGB:
    """guided-diffusion's square crop: halve by box while twice too large, bicubic to the shorter side, centre crop.

    openai/guided-diffusion@22e0df8:guided_diffusion/image_datasets.py, which DIRE uses for every image.
    """
    image = Image.fromarray(rgb)
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    top, left = (image.height - size) // 2, (image.width - size) // 2
    return np.asarray(image)[top : top + size, left : left + size]


def resize_short_side(rgb: RGB, size: int, resample: Image.Resampling = Image.Resampling.BILINEAR) -> RGB:
    """A resize that brings the shorter side to ``size``, as torchvision's Resize(int) does to a PIL image."""
    height, width = rgb.shape[:2]
    if min(height, width) == size:
        return rgb
    tall, wide = (int(size * height / width), size) if width <= height else (size, int(size * width / height))
    return np.asarray(Image.fromarray(rgb).resize((wide, tall), resample))


def fit_long_side(rgb: RGB, size: int, multiple: int) -> RGB:
    """Bilinear resize that brings the longer side to ``size``, then a cut of both sides to a multiple, from the centre.

    Sides are truncated to whole pixels, as DRCT's ``resize_long_size`` does; small images grow.
    """
    height, width = rgb.shape[:2]
    scale = size / max(height, width)
    tall, wide = max(multiple, int(height * scale)), max(multiple, int(width * scale))
    if (tall, wide) != (height, width):
        rgb = np.asarray(Image.fromarray(rgb).resize((wide, tall), Image.Resampling.BILINEAR))
    return crop(rgb, (tall // multiple * multiple, wide // multiple * multiple), None)


def pad_to_multiple(rgb: RGB, multiple: int) -> RGB:
    """Zeros at the bottom and the right until both sides are multiples."""
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, -height % multiple), (0, -width % multiple), (0, 0)))


def pad_to_square(rgb: RGB, size: int, mode: Literal["constant", "reflect"] = "constant") -> RGB:
    """Zeros on all sides, centred, where a side is shorter than ``size``; the odd row goes to the bottom or right.

    With ``reflect`` the image mirrored at its outermost pixels, again and again, instead of zeros.
    """
    missing = [max(0, size - side) for side in rgb.shape[:2]]
    around = [(gap // 2, gap - gap // 2) for gap in missing]
    return np.pad(rgb, (*around, (0, 0)), mode=mode)


def crop(rgb: RGB, size: int | tuple[int, int], rng: np.random.Generator | None) -> RGB:
    """A window of ``size`` (side, or height and width): a random one from ``rng``, or the centre for None.

    The image must be large enough.
    """
    (height, width), (tall, wide) = rgb.shape[:2], (size, size) if isinstance(size, int) else size
    if rng is None:
        top, left = round((height - tall) / 2), round((width - wide) / 2)
    else:
        top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return rgb[top : top + tall, left : left + wide]
