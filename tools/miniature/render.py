"""Draw a scene as light at sensor resolution, before the camera."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tools.miniature.scenes import Scene
from tools.miniature.shapes import SHAPES

Plane = NDArray[Any]
Picture = NDArray[Any]

_COLOUR_RGB = {
    "red": (0.80, 0.10, 0.10),
    "orange": (0.92, 0.48, 0.08),
    "yellow": (0.93, 0.84, 0.14),
    "green": (0.10, 0.62, 0.20),
    "blue": (0.12, 0.26, 0.82),
    "purple": (0.52, 0.16, 0.66),
    "white": (0.95, 0.95, 0.93),
    "pink": (0.95, 0.52, 0.68),
}
# Dark tone, light tone, spectral slope, stretch along x, stretch along y.
_GROUND = {
    "grass": ((0.10, 0.26, 0.06), (0.38, 0.58, 0.18), 0.7, 1.0, 3.5),
    "sand": ((0.62, 0.50, 0.32), (0.86, 0.76, 0.54), 0.5, 1.5, 1.0),
    "water": ((0.04, 0.22, 0.38), (0.30, 0.56, 0.66), 1.3, 5.0, 1.0),
    "brick": ((0.40, 0.16, 0.11), (0.66, 0.32, 0.24), 0.9, 1.0, 1.0),
    "sky": ((0.34, 0.56, 0.86), (0.86, 0.91, 0.97), 1.9, 1.8, 1.0),
    "wood": ((0.30, 0.18, 0.09), (0.60, 0.41, 0.23), 1.1, 9.0, 1.0),
    "snow": ((0.74, 0.79, 0.87), (0.97, 0.98, 1.00), 1.4, 1.0, 1.0),
    "night": ((0.02, 0.02, 0.08), (0.12, 0.12, 0.28), 1.6, 1.0, 1.0),
}
_CLUTTER_RGB = {"leaves": (0.30, 0.33, 0.08), "pebbles": (0.48, 0.46, 0.44), "twigs": (0.27, 0.17, 0.10)}
_LIGHT = {"left": (-1.0, -0.3), "right": (1.0, -0.3), "above": (0.0, -1.0)}


def _noise(rng: np.random.Generator, shape: tuple[int, int], slope: float, sx: float, sy: float) -> Plane:
    """Gaussian noise with amplitude frequency**-slope, stretched by ``sx``, ``sy``; unit standard deviation."""
    h, w = shape
    white = rng.standard_normal(shape, dtype=np.float32)
    fy = np.fft.fftfreq(h)[:, None].astype(np.float32) * h * sy
    fx = np.fft.rfftfreq(w)[None].astype(np.float32) * w * sx
    radius = np.maximum(np.hypot(fx, fy), 1.0)
    # A lens passes no frequencies near the sensor's limit: roll off above a quarter of it.
    rolloff = np.exp(-((np.fft.fftfreq(h)[:, None] ** 2 + np.fft.rfftfreq(w)[None] ** 2) / 0.05)).astype(np.float32)
    field = fft.irfft2(fft.rfft2(white) * (radius ** np.float32(-slope)) * rolloff, s=shape)
    return ((field - field.mean()) / (field.std() + 1e-6)).astype(np.float32)


def _mix(low: tuple[float, ...], high: tuple[float, ...], share: Plane) -> Picture:
    a, b = np.asarray(low, np.float32), np.asarray(high, np.float32)
    return a + (b - a) * np.clip(share, 0.0, 1.0)[..., None]


def _ground(scene: Scene, x: Plane, y: Plane, rng: np.random.Generator) -> Picture:
    low, high, slope, sx, sy = _GROUND[scene.ground]
    slope = slope + rng.normal(0, 0.12)
    share = 0.5 + rng.uniform(0.16, 0.26) * _noise(rng, (x.shape[0], x.shape[1]), slope, sx, sy)
    if scene.ground == "sky":
        share = share + 0.25 * y
    if scene.ground == "brick":
        pitch = rng.uniform(0.2, 0.3)
        course = (y + rng.uniform(0, 1)) / pitch
        along = np.mod((x + rng.uniform(0, 1)) / (2 * pitch) + 0.5 * np.mod(np.floor(course), 2), 1.0)
        mortar = np.maximum(np.abs(along - 0.5) - 0.46, (np.abs(np.mod(course, 1.0) - 0.5) - 0.42) * 0.5)
        joint = np.clip(mortar * 40, 0, 1)
        return _mix(low, high, share) * (1 - joint[..., None]) + np.float32(0.62) * joint[..., None]
    picture = _mix(low, high, share)
    if scene.ground == "night":
        for _ in range(int(rng.integers(8, 22))):
            sx0, sy0 = rng.uniform(-1.2, 1.2), rng.uniform(-1, 1)
            glow = np.exp(-((x - sx0) ** 2 + (y - sy0) ** 2) / np.float32(rng.uniform(0.012, 0.024) ** 2))
            picture = picture + glow[..., None] * np.float32(rng.uniform(0.4, 0.9))
    return picture


def _soft(distance: Plane, pixel: float) -> Plane:
    """Coverage in 0…1 of a shape with signed distance ``distance``; the edge is about 1.5 pixels wide."""
    return np.clip(0.5 - distance / np.float32(1.5 * pixel), 0.0, 1.0)


def _clutter(picture: Picture, scene: Scene, x: Plane, y: Plane, pixel: float, rng: np.random.Generator) -> Picture:
    base = np.asarray(_CLUTTER_RGB[scene.clutter], np.float32)
    stretch = {"leaves": 2.2, "pebbles": 1.3, "twigs": 7.0}[scene.clutter]
    for _ in range(scene.count):
        cx, cy, turn = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0, np.pi)
        radius = rng.uniform(0.05, 0.10)
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        root = np.float32(np.sqrt(stretch))
        mask = _soft((np.hypot(u / root, v * root) - radius).astype(np.float32), pixel)[..., None]
        tint = base * np.float32(rng.uniform(0.6, 1.5)) + rng.normal(0, 0.03, 3).astype(np.float32)
        picture = picture * (1 - mask) + tint * (1 + 0.25 * (v / radius))[..., None] * mask
    return picture


def _object(picture: Picture, scene: Scene, x: Plane, y: Plane, pixel: float, rng: np.random.Generator) -> Picture:
    cos, sin, radius = np.cos(scene.angle), np.sin(scene.angle), 2 * scene.size
    root = np.sqrt(scene.squash)

    def local(dx: float, dy: float) -> tuple[Plane, Plane]:
        px, py = x - 2 * scene.centre[0] - dx, y - 2 * scene.centre[1] - dy
        u, v = (px * cos + py * sin) / (radius * root), (py * cos - px * sin) * root / radius
        return u.astype(np.float32), v.astype(np.float32)

    lx, ly = _LIGHT[scene.light]
    shade_u, shade_v = local(-0.09 * lx, -0.09 * ly)
    shadow = _soft((SHAPES[scene.object](shade_u, shade_v) * radius).astype(np.float32), 0.06)
    picture = picture * (1 - np.float32(rng.uniform(0.25, 0.5)) * shadow[..., None])
    u, v = local(0.0, 0.0)
    mask = _soft((SHAPES[scene.object](u, v) * radius).astype(np.float32), pixel)[..., None]
    tint = np.asarray(_COLOUR_RGB[scene.colour], np.float32) + rng.normal(0, 0.025, 3).astype(np.float32)
    shading = 1.0 + np.float32(rng.uniform(0.12, 0.28)) * (u * lx + v * ly)
    grain = 1.0 + np.float32(rng.uniform(0.03, 0.08)) * _noise(rng, (x.shape[0], x.shape[1]), 0.9, 1, 1)
    if scene.striped:
        turn, pitch, depth = rng.uniform(0, np.pi), rng.uniform(0.28, 0.5), rng.uniform(0.2, 0.4)
        wave = np.sin(2 * np.pi * (u * np.cos(turn) + v * np.sin(turn)) / pitch)
        shading = shading * (1 - np.float32(depth) * np.clip(wave * 3, -1, 1))
    surface = tint * (shading * grain)[..., None] + np.float32(0.02)
    return picture * (1 - mask) + surface * mask


def render(scene: Scene, width: int, height: int) -> Picture:
    """The scene as float32 [height, width, 3] of display-referred light in about 0…1, without camera or noise."""
    rng = scene.generator()
    half = 0.5 * min(width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = (x + 0.5 - width / 2) / half, (y + 0.5 - height / 2) / half
    pixel = 1.0 / half
    picture = _ground(scene, x, y, rng)
    picture = _clutter(picture, scene, x, y, pixel, rng)
    picture = _object(picture, scene, x, y, pixel, rng)
    vignette = 1.0 - np.float32(rng.uniform(0.0, 0.18)) * (x**2 + y**2)
    light = np.float32(rng.uniform(0.85, 1.12)) * vignette
    focus = ndimage.gaussian_filter(picture * light[..., None], (rng.uniform(0.4, 1.2), 0.8, 0))
    return np.clip(focus, 0.0, 1.0).astype(np.float32)
