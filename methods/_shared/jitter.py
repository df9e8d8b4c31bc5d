"""torchvision's random changes of images, on uint8 [H, W, 3]; all randomness comes from the generator passed in.

Drawing the arguments is separate from applying them, so that the latter can be compared with torchvision.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

RGB = NDArray[np.uint8]
Rng = np.random.Generator
#: What ``ColorJitter`` changes, in the order of its arguments.
PROPERTIES = ("brightness", "contrast", "saturation", "hue")
_ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
#: How often a place is drawn that does not fit before the centre is taken.
_TRIES = 10


def recoloured(rgb: RGB, number: int, amount: float) -> RGB:
    """Change one of :data:`PROPERTIES` of an image: by a factor, or the hue by a fraction of the colour circle."""
    image = Image.fromarray(rgb)
    if number < len(_ENHANCERS):
        return np.asarray(_ENHANCERS[number](image).enhance(amount))
    hue, saturation, value = image.convert("HSV").split()
    turned = np.asarray(hue) + np.int64(amount * 255).astype(np.uint8)  # Wraps, as torchvision's does.
    return np.asarray(Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB"))


def colour_jitter(rgb: RGB, strengths: tuple[float, float, float, float], rng: Rng) -> RGB:
    """``ColorJitter``: brightness, contrast, saturation and hue, each by a random amount, in a random order."""
    order = rng.permutation(len(PROPERTIES))
    centres = (1.0, 1.0, 1.0, 0.0)
    amounts = [rng.uniform(c - s, c + s) for c, s in zip(centres, strengths, strict=True)]
    for number in order.tolist():
        rgb = recoloured(rgb, number, amounts[number])
    return rgb


def grey(rgb: RGB) -> RGB:
    """``Grayscale``: Pillow's luma in all three channels."""
    return np.repeat(np.asarray(Image.fromarray(rgb).convert("L"))[:, :, None], 3, 2)


def resized_crop(rgb: RGB, place: tuple[int, int, int, int], side: int) -> RGB:
    """Cut the ``place`` (top, left, height, width) out of an image, and resize it to a square, bilinearly."""
    top, left, height, width = place
    part = Image.fromarray(np.ascontiguousarray(rgb[top : top + height, left : left + width]))
    return np.asarray(part.resize((side, side), Image.Resampling.BILINEAR))


def random_place(height: int, width: int, rng: Rng) -> tuple[int, int, int, int]:
    """``RandomResizedCrop``'s place: 0.08 to 1 of the area, with sides in a ratio of 3 : 4 to 4 : 3.

    After ten tries that do not fit, it is the largest centre with a ratio in that range.
    """
    low, high = 3 / 4, 4 / 3
    for _ in range(_TRIES):
        area = height * width * rng.uniform(0.08, 1)
        ratio = math.exp(rng.uniform(math.log(low), math.log(high)))
        wide, tall = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            return int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1)), tall, wide
    wide = min(width, round(height * high))
    tall = min(height, round(width / low))
    return (height - tall) // 2, (width - wide) // 2, tall, wide
