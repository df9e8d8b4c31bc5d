"""DeepfakeBench's augmentations as Effort's code lists them, those of albumentations 1.1, on uint8 [H, W, 3].

YZY-stack/Effort-AIGI-Detection@96f5dea:DeepfakeBench/training/dataset/abstract_dataset.py, whose list is fixed: the
block ``data_aug`` of the configuration is not read.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from methods._shared import augment

RGB = NDArray[np.uint8]
Rng = np.random.Generator


def motion_blur(rgb: RGB, rng: Rng) -> RGB:
    """``MotionBlur()``: the mean along a random line inside a kernel of 3, 5 or 7 pixels."""
    side = (3, 5, 7)[int(rng.integers(3))]
    start, end = (0, 0), (0, 0)
    while start == end:
        start, end = ((int(x), int(y)) for x, y in rng.integers(side, size=(2, 2)))
    kernel = cv2.line(np.zeros((side, side), np.uint8), start, end, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(rgb, -1, kernel / kernel.sum()), np.uint8)


def clahe(rgb: RGB, rng: Rng) -> RGB:
    """``CLAHE()``: the lightness equalised in 8 × 8 tiles with a clip limit of 1…4."""
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB))
    equalised = cv2.createCLAHE(rng.uniform(1, 4), (8, 8)).apply(np.ascontiguousarray(lab[..., 0]))
    lab = np.concatenate([np.asarray(equalised)[..., None], lab[..., 1:]], 2)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def cutout(rgb: RGB, rng: Rng) -> RGB:
    """``Cutout()``: eight black squares of 8 pixels around random pixels, cut off at the edges."""
    rgb = rgb.copy()
    for _ in range(8):
        top, left = (max(0, int(rng.integers(side + 1)) - 4) for side in rgb.shape[:2])
        rgb[top : top + 8, left : left + 8] = 0
    return rgb


def gamma(rgb: RGB, exponent: float) -> RGB:
    """Raise grey levels, as fractions of 255, to a power; truncated."""
    levels: RGB = ((np.arange(256) / 255) ** exponent * 255).astype(np.uint8)
    return levels[rgb]


def glass_blur(rgb: RGB, rng: Rng) -> RGB:
    """``GlassBlur()``: blur (σ 0.7), twice exchange all inner pixels with neighbours up to 4 away, blur again."""
    x, (height, width) = np.array(cv2.GaussianBlur(rgb, (0, 0), 0.7)), rgb.shape[:2]
    rows, columns = np.arange(height - 4, 4, -1), np.arange(width - 4, 4, -1)
    h, w = np.tile(rows, len(columns)), np.repeat(columns, len(rows))
    for _ in range(2):
        down, right = rng.integers(-4, 4, (2, len(h)))
        x[h, w], x[h + down, w + right] = x[h + down, w + right], x[h, w]
    return np.asarray(cv2.GaussianBlur(x, (0, 0), 0.7), np.uint8)


def augmented(rgb: RGB, rng: Rng) -> RGB:
    """Apply each augmentation of the list, in its order, with its own probability."""
    for chance, change in (
        (0.5, lambda x: x[:, ::-1].copy()),
        (0.5, lambda x: augment.brightness_contrast(x, rng.uniform(0.8, 1.2), rng.uniform(-0.2, 0.2))),
        (0.3, lambda x: augment.hue_saturation_value(x, *rng.uniform((-20, -30, -20), (20, 30, 20)).tolist())),
        (0.1, lambda x: augment.opencv_jpeg(x, int(rng.integers(40, 101)))),
        (0.1, lambda x: augment.gaussian_noise(x, rng)),
        (0.1, lambda x: motion_blur(x, rng)),
        (0.1, lambda x: clahe(x, rng)),
        (0.1, lambda x: np.ascontiguousarray(x[..., rng.permutation(3)])),
        (0.1, lambda x: cutout(x, rng)),
        (0.3, lambda x: gamma(x, rng.uniform(0.8, 1.2))),
        (0.3, lambda x: glass_blur(x, rng)),
    ):
        if rng.random() < chance:
            rgb = change(rgb)
    return rgb
