"""Resizing and cropping rules that engines and methods share, on uint8 [H, W, 3]."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGB = NDArray[np.uint8]


def center_crop_arr(rgb: RGB, size: int) -> RGB:
    """guided-diffusion's square crop: [H, W, 3] to [size, size, 3].

    Halve the image with a box filter while its shorter side is at least twice ``size``, resize the shorter side to
    ``size`` by bicubic interpolation, and crop the centre:
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
    """Resize the shorter side to ``size``, as torchvision's Resize(int) does for a PIL image."""
    height, width = rgb.shape[:2]
    if min(height, width) == size:
        return rgb
    new_height = size if height < width else int(size * height / width)
    new_width = size if width <= height else int(size * width / height)
    return np.asarray(Image.fromarray(rgb).resize((new_width, new_height), resample))


def fit_long_side(rgb: RGB, size: int, multiple: int) -> RGB:
    """Resize the longer side to ``size`` by OpenCV's bilinear interpolation, then centre-crop both sides to a multiple.

    Sides are truncated to whole pixels, as in beibuwandeluori/DRCT@01aa7d0:data/dataset.py (``resize_long_size``), on
    which SARE's code is based. Small images are enlarged.
    """
    import cv2

    height, width = rgb.shape[:2]
    new_height, new_width = _long_side(height, width, size, multiple)
    if (new_height, new_width) != (height, width):
        rgb = np.asarray(cv2.resize(rgb, (new_width, new_height)), np.uint8)
    return crop(rgb, long_side_shape(height, width, size, multiple), None, "albumentations")


def _long_side(height: int, width: int, size: int, multiple: int) -> tuple[int, int]:
    scale = size / max(height, width)
    return max(multiple, int(height * scale)), max(multiple, int(width * scale))


def long_side_shape(height: int, width: int, size: int, multiple: int) -> tuple[int, int]:
    """Height and width of what :func:`fit_long_side` makes of an image of this height and width."""
    new_height, new_width = _long_side(height, width, size, multiple)
    return new_height // multiple * multiple, new_width // multiple * multiple


def limit_sides(rgb: RGB, size: int) -> RGB:
    """Centre-crop each side to at most ``size``, as in beibuwandeluori/DRCT@01aa7d0:data/diffusion_rec.py."""
    height, width = rgb.shape[:2]
    return crop(rgb, (min(height, size), min(width, size)), None, "albumentations")


def crop_to_multiple(rgb: RGB, multiple: int) -> RGB:
    """Centre-crop both sides to multiples of ``multiple``; a side that is shorter is zero-padded to it first."""
    rgb = pad_to_square(rgb, multiple)
    height, width = (side // multiple * multiple for side in rgb.shape[:2])
    return crop(rgb, (height, width), None, "albumentations")


def pad_to_multiple(rgb: RGB, multiple: int) -> RGB:
    """Zero-pad at the bottom and right until both sides are multiples of ``multiple``."""
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, -height % multiple), (0, -width % multiple), (0, 0)))


def pad_to_square(rgb: RGB, size: int, mode: Literal["constant", "reflect"] = "constant") -> RGB:
    """Zero-pad both sides evenly to at least ``size``; an odd pixel is added at the bottom or right.

    With ``reflect``, the image is mirrored at its outermost pixels, repeatedly if necessary, instead of zero-padded.
    """
    missing = [max(0, size - side) for side in rgb.shape[:2]]
    padding = [(total // 2, total - total // 2) for total in missing]
    return np.pad(rgb, (*padding, (0, 0)), mode=mode)


def tiled(rgb: RGB, size: int) -> RGB:
    """Repeat an image whose shorter side is below ``size``, to the right and down, until both sides have it."""
    height, width = rgb.shape[:2]
    if min(height, width) >= size:
        return rgb
    return np.tile(rgb, (-(-size // height), -(-size // width), 1))


#: Where a centre crop starts if the margin is odd: torchvision rounds half to even; albumentations, guided-diffusion
#: and DRCT's own code round down.
CropRule = Literal["torchvision", "albumentations"]


def crop(rgb: RGB, size: int | tuple[int, int], rng: np.random.Generator | None, rule: CropRule = "torchvision") -> RGB:
    """Crop to ``size`` (side, or height and width): at a random position from ``rng``, or at the centre for None.

    ``rule`` decides where a centre crop starts if the margin is odd; see :data:`CropRule`. The image must be at least
    ``size`` large.
    """
    (height, width), (crop_height, crop_width) = rgb.shape[:2], (size, size) if isinstance(size, int) else size
    if rng is not None:
        top, left = int(rng.integers(height - crop_height + 1)), int(rng.integers(width - crop_width + 1))
    elif rule == "torchvision":
        top, left = round((height - crop_height) / 2), round((width - crop_width) / 2)
    else:
        top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return rgb[top : top + crop_height, left : left + crop_width]
