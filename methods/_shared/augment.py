"""Training augmentations on uint8 [H, W, 3]; all randomness comes from the generator that is passed in.

DRCT's augmentations are those of albumentations 1.3, with the arguments in
beibuwandeluori/DRCT@01aa7d0:data/transform.py and the same OpenCV functions. Drawing the arguments is separate from
applying them, so that the latter can be compared with albumentations.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

RGB = NDArray[np.uint8]
Rng = np.random.Generator


def _bytes(x: NDArray[np.generic]) -> RGB:
    """Convert the result of an augmentation to uint8 as albumentations does: clip, then truncate."""
    clipped: RGB = np.clip(x, 0, 255).astype(np.uint8)
    return clipped


def pillow_jpeg(rgb: RGB, quality: int) -> RGB:
    """Encode as JPEG (4:2:0) and decode with Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def opencv_jpeg(image: RGB, quality: int) -> RGB:
    """Encode as JPEG and decode with OpenCV, which interprets the channels as blue, green, red."""
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image), (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def blur_or_jpeg(rgb: RGB, blur_prob: float, jpg_prob: float, rng: Rng, qualities: Sequence[int] = ()) -> RGB:
    """CNNDetection's augmentation: blur with σ in 0…3, then JPEG with quality 30…100, each with its own probability.

    ``qualities`` are those that are drawn instead. The JPEG encoder is OpenCV's or Pillow's, drawn at random.
    PeterWang512/CNNDetection@ea0b562:data/datasets.py.
    """
    if rng.random() < blur_prob:
        sigma = rng.uniform(0, 3)
        rgb = ndimage.gaussian_filter(rgb, (sigma, sigma, 0))
    if rng.random() < jpg_prob:
        quality = int(qualities[int(rng.integers(len(qualities)))] if qualities else rng.integers(30, 101))
        opencv = bool(rng.random() < 0.5)
        rgb = opencv_jpeg(rgb[:, :, ::-1], quality)[:, :, ::-1] if opencv else pillow_jpeg(rgb, quality)
    return rgb


def image_compression(rgb: RGB, rng: Rng) -> RGB:
    """``ImageCompression(30, 100)``: JPEG by OpenCV. As in albumentations, RGB is passed where BGR is expected."""
    return opencv_jpeg(rgb, int(rng.integers(30, 101)))


def gaussian_noise(rgb: RGB, rng: Rng, variances: tuple[float, float] = (10, 50)) -> RGB:
    """``GaussNoise(variances)``: normal noise with a variance in that range, in squared grey levels."""
    return _bytes(rgb.astype(np.float32) + rng.normal(0, np.sqrt(rng.uniform(*variances)), rgb.shape))


def gaussian_blur(rgb: RGB, rng: Rng) -> RGB:
    """``GaussianBlur()``: a kernel of 3, 5 or 7 pixels, drawn with odds 1 : 2 : 2; OpenCV derives σ from the kernel."""
    kernel = (3, 5, 5, 7, 7)[int(rng.integers(5))]
    return np.asarray(cv2.GaussianBlur(rgb, (kernel, kernel), 0), np.uint8)


def scaled(rgb: RGB, scale: float) -> RGB:
    """Multiply both sides by ``scale``, truncated to whole pixels, with OpenCV's bilinear interpolation."""
    height, width = (max(1, int(side * scale)) for side in rgb.shape[:2])
    return np.asarray(cv2.resize(rgb, (width, height)), np.uint8)


def rescale(rgb: RGB, rng: Rng) -> RGB:
    """``RandomScale((-0.5, 0.5))``: multiply both sides by 0.5…1.5."""
    return scaled(rgb, rng.uniform(0.5, 1.5))


def brightness_contrast(rgb: RGB, gain: float, offset: float) -> RGB:
    """Multiply grey levels by ``gain`` and add ``offset``, a fraction of 255."""
    return _bytes(np.arange(256, dtype=np.float32) * np.float32(gain) + np.float32(offset * 255))[rgb]


def fancy_pca(rgb: RGB, alpha: float) -> RGB:
    """Shift all pixels along the principal axes of the colours, as albumentations 1.3 does.

    That version multiplies by the transposed matrix of eigenvectors, sorted by eigenvalue, largest first.
    """
    flat = rgb.reshape(-1, 3).astype(np.float64) / 255
    values, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
    shift = vectors[:, ::-1].T @ (alpha * values[::-1])
    return _bytes(rgb + 255 * shift)


def hue_saturation_value(rgb: RGB, hue: float, saturation: float, value: float) -> RGB:
    """Shift OpenCV's HSV values: hue in steps of two degrees, saturation and value in grey levels."""
    levels = np.arange(256, dtype=np.int16)
    tables = [np.mod(levels + hue, 180).astype(np.uint8), _bytes(levels + saturation), _bytes(levels + value)]
    hsv = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    shifted = np.stack([table[hsv[..., axis]] for axis, table in enumerate(tables)], 2)
    return np.asarray(cv2.cvtColor(shifted, cv2.COLOR_HSV2RGB), np.uint8)


def colour(rgb: RGB, rng: Rng) -> RGB:
    """``OneOf([RandomBrightnessContrast(), FancyPCA(), HueSaturationValue()])``."""
    kind = int(rng.integers(3))
    if kind == 0:
        return brightness_contrast(rgb, rng.uniform(0.8, 1.2), rng.uniform(-0.2, 0.2))
    if kind == 1:
        return fancy_pca(rgb, rng.normal(0, 0.1))
    return hue_saturation_value(rgb, *rng.uniform((-20, -30, -20), (20, 30, 20)).tolist())


def dropout(rgb: RGB, rng: Rng) -> RGB:
    """``OneOf([CoarseDropout(), GridDropout()])``: eight black squares, or a grid with a black quarter in each cell.

    The side of a square is 1/28 of the shorter side: 8 pixels at the paper's 224. The grid has ten cells per side.
    """
    rgb, (height, width) = rgb.copy(), rgb.shape[:2]
    if rng.random() < 0.5:
        side = max(1, round(min(height, width) / 28))
        for _ in range(8):
            top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            rgb[top : top + side, left : left + side] = 0
        return rgb
    cell = max(2, width // 10)
    for top in range(0, height, cell):
        for left in range(0, width, cell):
            rgb[top : top + cell // 2, left : left + cell // 2] = 0
    return rgb


def grey(rgb: RGB) -> RGB:
    """``ToGray()``: the luma in all three channels."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def warped(rgb: RGB, angle: float, scale: float, shift: tuple[float, float]) -> RGB:
    """Rotate by ``angle`` degrees about the centre, scale, shift by fractions (x, y) of the sides; black outside."""
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, scale)
    matrix[:, 2] += (shift[0] * width, shift[1] * height)
    return np.asarray(cv2.warpAffine(rgb, matrix, (width, height)), np.uint8)


def shift_scale_rotate(rgb: RGB, rng: Rng) -> RGB:
    """``ShiftScaleRotate(0.1, 0.2, 10)``: shift up to a tenth of the sides, scale by 0.8…1.2, rotate up to 10°."""
    angle, scale = rng.uniform(-10, 10), rng.uniform(0.8, 1.2)
    return warped(rgb, angle, scale, (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1)))


def random_resized_crop(rgb: RGB, size: int, area: float, rng: Rng) -> RGB:
    """``RandomResizedCrop``: ``area`` to all of the image, 3 : 4 to 4 : 3, resized to a square with OpenCV.

    If ten draws do not fit, the largest crop of an allowed shape around the centre.
    """
    height, width = rgb.shape[:2]
    for _ in range(10):
        pixels, ratio = rng.uniform(area, 1) * height * width, np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        h, w = round(float(np.sqrt(pixels / ratio))), round(float(np.sqrt(pixels * ratio)))
        if 0 < h <= height and 0 < w <= width:
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            break
    else:
        h, w = min(height, round(width / (3 / 4))), min(width, round(height * 4 / 3))
        top, left = (height - h) // 2, (width - w) // 2
    return np.asarray(cv2.resize(rgb[top : top + h, left : left + w], (size, size)), np.uint8)


def rotated_inside(rgb: RGB, angle: float) -> RGB:
    """``Rotate(crop_border=True)`` of a square by ``angle`` degrees: the largest square inside, resized back."""
    side, turn = len(rgb), np.deg2rad(angle)
    matrix = cv2.getRotationMatrix2D((side / 2 - 0.5, side / 2 - 0.5), angle, 1)
    turned = cv2.warpAffine(np.ascontiguousarray(rgb), matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    inside = side / (abs(np.cos(turn)) + abs(np.sin(turn)))
    first, last = max(0, int((side - inside) / 2)), min(side, int((side + inside) / 2))
    return np.asarray(cv2.resize(turned[first:last, first:last], (side, side)), np.uint8)


def blurred(rgb: RGB, kernel: int, sigma: float) -> RGB:
    """Blur with a Gaussian of a given kernel and σ, in pixels, with OpenCV."""
    return np.asarray(cv2.GaussianBlur(rgb, (kernel, kernel), sigma), np.uint8)
