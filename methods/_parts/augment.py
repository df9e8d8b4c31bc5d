"""Training augmentations on uint8 [H, W, 3]; every draw comes from the generator that is handed in."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

RGB = NDArray[np.uint8]
Rng = np.random.Generator


def _whole(x: NDArray[np.floating]) -> RGB:
    return np.clip(np.round(x), 0, 255).astype(np.uint8)


def jpeg(rgb: RGB, quality: int) -> RGB:
    """Through JPEG and back, Pillow's default 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def blur_or_jpeg(rgb: RGB, blur_prob: float, jpg_prob: float, rng: Rng) -> RGB:
    """The CNNDetection recipe: blur with σ in 0…3, then JPEG with quality 30…100, each with its own probability.

    PeterWang512/CNNDetection@ea0b562:data/datasets.py; there one of two JPEG encoders is drawn, here it is Pillow's.
    """
    if rng.random() < blur_prob:
        sigma = rng.uniform(0, 3)
        rgb = ndimage.gaussian_filter(rgb, (sigma, sigma, 0))
    if rng.random() < jpg_prob:
        rgb = jpeg(rgb, int(rng.integers(30, 101)))
    return rgb


def gaussian_noise(rgb: RGB, rng: Rng) -> RGB:
    """Noise with a variance of 10 to 50 grey levels squared."""
    return _whole(rgb + rng.normal(0, np.sqrt(rng.uniform(10, 50)), rgb.shape))


def gaussian_blur(rgb: RGB, rng: Rng) -> RGB:
    """A blur as OpenCV derives it from a kernel of 3, 5 or 7 pixels."""
    kernel = int(rng.choice((3, 5, 7)))
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    blurred: RGB = ndimage.gaussian_filter(rgb, (sigma, sigma, 0), radius=(kernel // 2, kernel // 2, 0))
    return blurred


def rescale(rgb: RGB, rng: Rng) -> RGB:
    """Both sides times 0.5 to 1.5, bilinear."""
    scale = rng.uniform(0.5, 1.5)
    width, height = (max(1, round(side * scale)) for side in rgb.shape[1::-1])
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR))


def colour(rgb: RGB, rng: Rng) -> RGB:
    """One of: brightness and contrast; a shift along the colours' main axes; hue, saturation and value."""
    kind = int(rng.integers(3))
    if kind == 0:
        gain, offset = rng.uniform(0.8, 1.2), rng.uniform(-0.2, 0.2) * 255
        return _whole(rgb * gain + offset)
    if kind == 1:
        flat = rgb.reshape(-1, 3).astype(np.float64) / 255
        values, vectors = np.linalg.eigh(np.cov(flat.T))
        return _whole(rgb + 255 * vectors @ (rng.normal(0, 0.1) * values))  # One draw an image.
    hsv = np.asarray(Image.fromarray(rgb).convert("HSV")).astype(np.int16)
    hsv += rng.integers((-28, -30, -20), (29, 31, 21))  # Hue by a ninth of the circle, 20 of OpenCV's 180.
    hsv[..., 0] %= 256
    return np.asarray(Image.fromarray(np.clip(hsv, 0, 255).astype(np.uint8), "HSV").convert("RGB"))


def dropout(rgb: RGB, rng: Rng) -> RGB:
    """One of: eight black squares of 1/28 of the side; a grid of ten cells a side with a black quarter each."""
    rgb, (height, width) = rgb.copy(), rgb.shape[:2]
    if rng.random() < 0.5:
        side = max(1, round(min(height, width) / 28))
        for _ in range(8):
            top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            rgb[top : top + side, left : left + side] = 0
        return rgb
    high, wide = max(2, height // 10), max(2, width // 10)
    for top in range(0, height, high):
        for left in range(0, width, wide):
            rgb[top : top + high // 2, left : left + wide // 2] = 0
    return rgb


def grey(rgb: RGB) -> RGB:
    """Luma in all three channels."""
    return np.asarray(Image.fromarray(rgb).convert("L").convert("RGB"))


def shift_scale_rotate(rgb: RGB, rng: Rng) -> RGB:
    """A shift of up to a tenth, a scale of 0.8 to 1.2, a turn of up to ten degrees about the centre; black outside."""
    height, width = rgb.shape[:2]
    scale, angle = rng.uniform(0.8, 1.2), np.deg2rad(rng.uniform(-10, 10))
    dx, dy = rng.uniform(-0.1, 0.1, 2) * (width, height)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    cx, cy = (width - 1) / 2, (height - 1) / 2
    inverse = (cos, sin, cx - cos * (cx + dx) - sin * (cy + dy), -sin, cos, cy + sin * (cx + dx) - cos * (cy + dy))
    transformed = Image.fromarray(rgb).transform(
        (width, height), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR
    )
    return np.asarray(transformed)
