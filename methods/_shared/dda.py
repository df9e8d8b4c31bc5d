"""DDA's pairs of a photograph and its twin, and their augmentation, on uint8 [H, W, 3].

roy-ch/Dual-Data-Alignment@21f1e39:Training/data/datasets.py and custom_transforms.py with the arguments of train.sh.
Drawing the arguments is separate from applying them, so that the latter can be compared with the official code.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.artefacts.geometry import crop, pad_to_square
from methods._shared import jitter
from methods._shared.augment import pillow_jpeg

RGB = NDArray[np.uint8]
Rng = np.random.Generator
#: The quality at which a twin is compressed if its photograph's is not known.
QUALITY = 96
#: The largest changes of brightness, contrast, saturation and hue.
COLOURS = (0.4, 0.4, 0.4, 0.175)
#: The standard deviation of noise, in grey levels.
NOISE = 55.0
FILTERS = tuple(Image.Resampling[name] for name in ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS"))


def aligned(real: RGB, twin: RGB, quality: int, mix_prob: float, mix_share: float, rng: Rng) -> RGB:
    """The twin, compressed like its photograph half of the time, and mixed with it by either of two rules."""
    if rng.random() < 0.5:
        twin = compressed(twin, quality or QUALITY)
    chosen = [rule for rule in (pixel_mix, frequency_mix) if rng.random() < mix_prob]
    for number in rng.permutation(len(chosen)):
        twin = chosen[number](real, twin, rng.uniform(0, mix_share))
    return twin


def compressed(rgb: RGB, quality: int) -> RGB:
    """Encode as JPEG with Pillow; at quality 100 the image stays as it is."""
    return rgb if quality == 100 else pillow_jpeg(rgb, quality)


def pixel_mix(real: RGB, twin: RGB, share: float) -> RGB:
    """``share`` of the twin and the rest of the photograph, cut off to whole grey levels."""
    return _bytes(np.float32(share) * twin.astype(np.float32) + np.float32(1 - share) * real.astype(np.float32))


def frequency_mix(real: RGB, twin: RGB, share: float) -> RGB:
    """``share`` of the photograph's cosine transform and the rest of the twin's, rounded to whole grey levels.

    The official transform is that of the whole image and linear, so this is a mix of pixels too.
    """
    return _bytes((share * real.astype(np.float64) + (1 - share) * twin.astype(np.float64)).round())


def resized(rgb: RGB, factor: float, resample: Image.Resampling) -> RGB:
    """Multiply both sides by ``factor``, truncated to whole pixels."""
    height, width = (max(1, int(side * factor)) for side in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), resample))


def in_three_sizes(pair: tuple[RGB, RGB], rng: Rng) -> list[RGB]:
    """Each image of a pair as it is, smaller (0.2 to 1) and larger (1 to 3.5): three of the first, three of the second.

    Both have the same two sizes and the same two filters, which differ.
    """
    factors = rng.uniform(0.2, 1.0), rng.uniform(1.0, 3.5)
    filters = [FILTERS[number] for number in rng.permutation(len(FILTERS))[:2]]
    changes = list(zip(factors, filters, strict=True))
    return [view for rgb in pair for view in (rgb, *(resized(rgb, factor, rule) for factor, rule in changes))]


def augmented(rgb: RGB, size: int, rng: Rng) -> RGB:
    """A training view [size, size, 3]; images of one size change alike with equal generators."""
    if rng.random() < 0.15:
        rgb = compressed(rgb, int(rng.integers(55, 101)))
    rgb = rgb[:, ::-1] if rng.random() < 0.5 else rgb
    rgb = np.ascontiguousarray(rgb[::-1] if rng.random() < 0.5 else rgb)
    if rng.random() < 0.1:
        rgb = _bytes(rgb.astype(np.float32) + rng.normal(0, NOISE, rgb.shape))
    if rng.random() < 0.1:
        rgb = peppered(rgb, rng)
    if rng.random() < 0.2:
        rgb = _blurred(rgb, rng)
    if rng.random() < 0.1:
        rgb = sharpened(rgb, rng.uniform(1, 3))
    if rng.random() < 0.2:
        rgb = jitter.colour_jitter(rgb, COLOURS, rng)
    if rng.random() < 0.1:
        rgb = jitter.grey(rgb)
    return crop(pad_to_square(rgb, size), size, rng)


def peppered(rgb: RGB, rng: Rng) -> RGB:
    """Blacken 0.01 to 0.1 of the pixels; one may be drawn twice."""
    height, width = rgb.shape[:2]
    count, rgb = int(height * width * rng.uniform(0.01, 0.1)), rgb.copy()
    rgb[rng.integers(height, size=count), rng.integers(width, size=count)] = 0
    return rgb


def _blurred(rgb: RGB, rng: Rng) -> RGB:
    """Blur by one of four rules, each as often."""
    kind = int(rng.integers(4))
    if kind < 2:
        return gaussian_blur(rgb, (3, 5)[kind], rng.uniform(0.1, 2))
    return np.asarray(cv2.medianBlur(rgb, 3), np.uint8) if kind == 2 else motion_blur(rgb, rng.uniform(0, 180))


def gaussian_blur(rgb: RGB, side: int, sigma: float) -> RGB:
    """Torchvision's ``GaussianBlur`` with a kernel of ``side`` pixels."""
    places = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    kernel = np.exp(-0.5 * (places / np.float32(sigma)) ** 2)
    kernel /= kernel.sum()
    blurred = cv2.sepFilter2D(rgb.astype(np.float32), -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
    return _bytes(np.asarray(blurred).round())


def motion_blur(rgb: RGB, angle: float) -> RGB:
    """The mean along a line of five pixels at ``angle`` degrees; pixels of the line that coincide count once."""
    kernel = np.zeros((5, 5))
    steps = np.arange(-2, 3)
    radians = np.deg2rad(angle)
    rows, columns = (np.round(steps * turn(radians)).astype(int) + 2 for turn in (np.sin, np.cos))
    kernel[rows, columns] = 1
    return np.asarray(cv2.filter2D(rgb, -1, kernel / kernel.sum()), np.uint8)


def sharpened(rgb: RGB, factor: float) -> RGB:
    """Add ``factor`` times the difference from a blur with σ = 3."""
    image = rgb.astype(np.float32)
    return _bytes(image + factor * (image - np.asarray(cv2.GaussianBlur(image, (0, 0), 3.0))))


def _bytes(x: NDArray[np.generic]) -> RGB:
    """Clip to 0…255 and cut off to whole grey levels."""
    clipped: RGB = np.clip(x, 0, 255).astype(np.uint8)
    return clipped
