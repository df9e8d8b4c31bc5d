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
    """OpenCV's bilinear resize to a longer side of ``size``, then a centre crop of both sides to a multiple.

    Sides are truncated to whole pixels, as in beibuwandeluori/DRCT@01aa7d0:data/dataset.py (``resize_long_size``), on
    whose code SARE builds; small images grow.
    """
    import cv2

    height, width = rgb.shape[:2]
    scale = size / max(height, width)
    tall, wide = max(multiple, int(height * scale)), max(multiple, int(width * scale))
    if (tall, wide) != (height, width):
        rgb = np.asarray(cv2.resize(rgb, (wide, tall)), np.uint8)
    return crop(rgb, (tall // multiple * multiple, wide // multiple * multiple), None, "albumentations")


def limit_sides(rgb: RGB, size: int) -> RGB:
    """The centre of an image, each side at most ``size``: beibuwandeluori/DRCT@01aa7d0:data/diffusion_rec.py."""
    height, width = rgb.shape[:2]
    return crop(rgb, (min(height, size), min(width, size)), None, "albumentations")


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


#: Who decides where a centre crop starts when the margin is odd: torchvision rounds half to even, albumentations (and
#: guided-diffusion, and DRCT's own code) rounds down.
CropRule = Literal["torchvision", "albumentations"]


def crop(rgb: RGB, size: int | tuple[int, int], rng: np.random.Generator | None, rule: CropRule = "torchvision") -> RGB:
    """A window of ``size`` (side, or height and width): a random one from ``rng``, or the centre for None.

    ``rule`` places the centre where a margin is odd; see :data:`CropRule`. The image must be large enough.
    """
    (height, width), (tall, wide) = rgb.shape[:2], (size, size) if isinstance(size, int) else size
    if rng is not None:
        top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    elif rule == "torchvision":
        top, left = round((height - tall) / 2), round((width - wide) / 2)
    else:
        top, left = (height - tall) // 2, (width - wide) // 2
    return rgb[top : top + tall, left : left + wide]
