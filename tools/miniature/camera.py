"""Six cameras: noise, mosaicking and demosaicking, denoising, sharpening, tone; then random downsampling and a codec.

The camera works at three to four times the size of the final image, so no sensor grain survives at the final
resolution, and neither grain nor sharpness alone separates photographs from other images.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tools.miniature.render import Picture, render
from tools.miniature.scenes import Scene

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Camera:
    """One camera model: ``electrons`` at white, ``read`` noise in electrons, filters in sensor pixels."""

    electrons: float
    read: float
    edge_aware: bool
    denoise: str
    sharpen: float
    radius: float
    gamma: float
    contrast: float
    balance: tuple[float, float, float]


CAMERAS = (
    Camera(9000, 6, False, "none", 0.0, 1.0, 2.2, 0.00, (1.00, 1.00, 1.00)),
    Camera(2500, 9, True, "gaussian", 0.5, 1.2, 2.2, 0.10, (1.03, 1.00, 0.97)),
    Camera(1200, 12, False, "median", 0.8, 1.5, 2.4, 0.20, (0.97, 1.00, 1.04)),
    Camera(600, 14, True, "wiener", 1.1, 1.0, 2.0, 0.05, (1.05, 1.00, 0.94)),
    Camera(4000, 5, True, "median", 0.3, 2.0, 2.3, 0.28, (1.00, 1.02, 0.99)),
    Camera(1800, 10, False, "wiener", 0.0, 1.0, 2.1, 0.15, (0.98, 0.99, 1.05)),
)
_FILTERS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


def _demosaic(raw: Picture, edge_aware: bool) -> Picture:
    """RGGB mosaic (float32 [H, W]) to colour: bilinear, or with green interpolated along the weaker gradient."""
    h, w = raw.shape
    out = np.zeros((h, w, 3), np.float32)
    for channel, sites in enumerate((((0, 0),), ((0, 1), (1, 0)), ((1, 1),))):
        known = np.zeros((h, w), np.float32)
        for dy, dx in sites:
            known[dy::2, dx::2] = 1
        kernel = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32)
        total = ndimage.convolve(raw * known, kernel, mode="mirror")
        out[..., channel] = np.where(known > 0, raw, total / ndimage.convolve(known, kernel, mode="mirror"))
    if edge_aware:
        across = np.abs(np.roll(raw, 1, 1) - np.roll(raw, -1, 1))
        along = np.abs(np.roll(raw, 1, 0) - np.roll(raw, -1, 0))
        mean_x, mean_y = (np.roll(raw, 1, 1) + np.roll(raw, -1, 1)) / 2, (np.roll(raw, 1, 0) + np.roll(raw, -1, 0)) / 2
        steered = np.where(across < along, mean_x, mean_y)
        green = np.indices((h, w)).sum(0) % 2 == 1
        out[..., 1] = np.where(green, raw, steered)
    return out


def _denoise(picture: Picture, how: str) -> Picture:
    if how == "gaussian":
        return ndimage.gaussian_filter(picture, (0.7, 0.7, 0))
    if how == "median":
        return ndimage.median_filter(picture, size=(3, 3, 1))
    if how == "wiener":
        mean = ndimage.uniform_filter(picture, (3, 3, 1))
        variance = np.maximum(ndimage.uniform_filter(picture**2, (3, 3, 1)) - mean**2, 0)
        noise = float(np.median(variance))
        return mean + np.maximum(variance - noise, 0) / np.maximum(variance, 1e-8) * (picture - mean)
    return picture


def expose(picture: Picture, camera: Camera, rng: np.random.Generator) -> Picture:
    """Pass display-referred light float32 [H, W, 3] in 0…1 through a camera; shape and range do not change."""
    linear = picture ** np.float32(camera.gamma) * np.asarray(camera.balance, np.float32)
    mosaic = linear[..., 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = linear[0::2, 0::2, 0], linear[1::2, 1::2, 2]
    electrons = camera.electrons * rng.uniform(0.6, 1.4)
    sigma = np.sqrt(mosaic / electrons + (camera.read / electrons) ** 2)
    raw = np.clip(mosaic + sigma * rng.standard_normal(mosaic.shape, dtype=np.float32), 0, 1).astype(np.float32)
    colour = _denoise(_demosaic(raw, camera.edge_aware), camera.denoise)
    toned = np.clip(colour, 0, 1) ** np.float32(1 / camera.gamma)
    toned = toned + camera.contrast * (3 * toned**2 - 2 * toned**3 - toned)
    if camera.sharpen:
        toned = toned + camera.sharpen * (toned - ndimage.gaussian_filter(toned, (camera.radius, camera.radius, 0)))
    return np.clip(toned, 0, 1).astype(np.float32)


def photograph(scene: Scene, width: int, height: int, shot: int = 0) -> RGB:
    """A photograph of the scene: uint8 [height, width, 3], a function of the arguments.

    The camera, the oversampling (3 to 4) and the downsampling filter are drawn from the scene's seed; another ``shot``
    has the same three and new noise.
    """
    rng = np.random.default_rng([*scene.seed, 2])
    camera = CAMERAS[int(rng.integers(len(CAMERAS)))]
    factor = rng.uniform(3.0, 4.0)
    light = render(scene, 2 * round(width * factor / 2), 2 * round(height * factor / 2))
    toned = expose(light, camera, rng)
    if shot:
        toned = expose(light, camera, np.random.default_rng([*scene.seed, 2, shot]))
    sensor = np.round(toned * 255).astype(np.uint8)
    resampling = _FILTERS[int(rng.integers(len(_FILTERS)))]
    return np.asarray(Image.fromarray(sensor).resize((width, height), resampling))


def encode_jpeg(rgb: RGB, rng: np.random.Generator) -> bytes:
    """The image as JPEG bytes with 4:2:0 subsampling; quality is 96 in three of four cases, else uniform in 75…95."""
    quality = 96 if rng.random() < 0.75 else int(rng.integers(75, 96))
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()
