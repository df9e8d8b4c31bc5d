"""Resizing and cropping rules that engines and methods share, on uint8 [H, W, 3]."""

from __future__ import annotations

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


def resize_short_side(rgb: RGB, size: int) -> RGB:
    """Bilinear resize that brings the shorter side to ``size``, as torchvision's Resize(int) does to a PIL image."""
    height, width = rgb.shape[:2]
    if min(height, width) == size:
        return rgb
    tall, wide = (int(size * height / width), size) if width <= height else (size, int(size * width / height))
    return np.asarray(Image.fromarray(rgb).resize((wide, tall), Image.Resampling.BILINEAR))


def crop(rgb: RGB, size: int, rng: np.random.Generator | None) -> RGB:
    """A square window: a random one from ``rng``, or the centre for None. The image must be large enough."""
    height, width = rgb.shape[:2]
    if rng is None:
        top, left = round((height - size) / 2), round((width - size) / 2)
    else:
        top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
    return rgb[top : top + size, left : left + size]
