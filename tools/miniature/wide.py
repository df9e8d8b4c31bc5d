"""The wider world that backbones, CLIP and LPIPS are trained on: scenes as pictures in many styles, without a camera.

It stands for the web and for ImageNet: resized and often JPEG-coded pictures of the same objects, but no photographs of
the detectors' stream and no generated images.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tools.miniature.render import Picture, render
from tools.miniature.scenes import sample_scene

RGB = NDArray[np.uint8]
Plane = NDArray[Any]
Style = Callable[[Picture, np.random.Generator], Picture]

_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16
#: The filter that resized a picture. Captions do not mention it, and it is visible only in fine texture.
FINISHES = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def _tile(pattern: Plane, like: Picture) -> Plane:
    height, width = like.shape[:2]
    repeats = (-(-height // pattern.shape[0]), -(-width // pattern.shape[1]))
    return np.tile(pattern, repeats)[:height, :width, None]


def _film(x: Picture, rng: np.random.Generator) -> Picture:
    grain = rng.standard_normal(x.shape[:2], dtype=np.float32)[..., None]
    return x ** np.float32(rng.uniform(0.8, 1.3)) + np.float32(rng.uniform(0.04, 0.09)) * grain


def _poster(x: Picture, rng: np.random.Generator) -> Picture:
    levels = int(rng.integers(3, 6))
    return np.round(x * levels) / levels


def _crayon(x: Picture, rng: np.random.Generator) -> Picture:
    strokes = ndimage.gaussian_filter(rng.standard_normal(x.shape[:2], dtype=np.float32), (0.4, 2.5))
    return x * (1 + np.float32(rng.uniform(0.5, 0.9)) * strokes / strokes.std() * 0.35)[..., None]


def _halftone(x: Picture, rng: np.random.Generator) -> Picture:
    height, width = x.shape[:2]
    pitch, turn = rng.uniform(3.0, 4.5), rng.uniform(0, np.pi / 2)
    v, u = np.mgrid[0:height, 0:width].astype(np.float32) * np.float32(2 * np.pi / pitch)
    a, b = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    return x + np.float32(0.22) * (np.cos(a) + np.cos(b)).astype(np.float32)[..., None]


def _mosaic(x: Picture, rng: np.random.Generator) -> Picture:
    cell = int(rng.integers(2, 4))
    height, width = x.shape[:2]
    small = x[: height // cell * cell, : width // cell * cell]
    small = small.reshape(height // cell, cell, width // cell, cell, 3).mean((1, 3))
    grown = np.pad(small.repeat(cell, 0).repeat(cell, 1), ((0, cell), (0, cell), (0, 0)), "edge")
    return grown[:height, :width]


def _sketch(x: Picture, rng: np.random.Generator) -> Picture:
    grey = x.mean(-1)
    edges = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    return (0.45 + 0.55 * x) * (1 - np.clip(edges * rng.uniform(0.8, 1.6), 0, 0.9))[..., None]


def _watercolour(x: Picture, rng: np.random.Generator) -> Picture:
    size = int(rng.integers(3, 6))
    flat = ndimage.median_filter(x, size=(size, size, 1))
    wash = ndimage.gaussian_filter(rng.standard_normal(x.shape[:2], dtype=np.float32), 6)
    return flat * (1 + 0.12 * wash / (wash.std() + 1e-6))[..., None] * 0.9 + 0.1


def _dither(x: Picture, rng: np.random.Generator) -> Picture:
    levels = int(rng.integers(2, 4))
    return np.clip(np.floor(x * levels + _tile(_BAYER, x)) / levels, 0, 1)


def _soft(x: Picture, rng: np.random.Generator) -> Picture:
    spread = rng.uniform(1.0, 2.0)
    return ndimage.gaussian_filter(x, (spread, spread, 0))


def _woven(x: Picture, rng: np.random.Generator) -> Picture:
    depth = np.float32(rng.uniform(0.1, 0.25))
    return x * (1 - depth + 2 * depth * _tile(np.array([[0, 1], [1, 0]], np.float32), x))


def _video(x: Picture, rng: np.random.Generator) -> Picture:
    grey = x.mean(-1, keepdims=True)
    tint = ndimage.gaussian_filter(x - grey, (0.7, 1.5, 0))
    return grey + tint + np.float32(rng.uniform(0.02, 0.06)) * rng.standard_normal(x.shape, dtype=np.float32)


#: The style of a picture, by its word in captions.
STYLES: dict[str, Style] = {
    "rendering": lambda x, rng: x,
    "film": _film,
    "poster": _poster,
    "crayon": _crayon,
    "halftone": _halftone,
    "mosaic": _mosaic,
    "sketch": _sketch,
    "watercolour": _watercolour,
    "dither": _dither,
    "blur": _soft,
    "weave": _woven,
    "video": _video,
}


#: Ranges of JPEG quality, and of the ratio of the drawn to the final side; captions do not mention them either.
CODECS = {"none": (0, 1), "low": (50, 70), "middle": (70, 88), "high": (88, 99)}
SCALES = {"enlarged": (0.0, 1.0), "even": (1.0, 1.4), "shrunk": (1.4, float("inf"))}


def _codec(rgb: RGB, quality: int, sampling: str) -> RGB:
    if not quality:
        return rgb
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality, subsampling=sampling)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _history(*path: int) -> tuple[float, int, str]:
    """Ratio of the drawn to the final side, JPEG quality (0 for none) and subsampling of picture number ``path``."""
    rng = np.random.default_rng([*path, 79])
    ratio = float(np.exp(rng.uniform(np.log(0.75), np.log(2.0))))
    quality = 0 if rng.random() < 0.4 else int(rng.integers(50, 99))
    return ratio, quality, ("4:4:4", "4:2:0")[int(rng.random() < 0.6)]


def style_of(*path: int) -> str:
    """The style of picture number ``path``: a function of ``path``, independent of the scene."""
    return str(np.random.default_rng([*path, 77]).choice(list(STYLES)))


def finish_of(*path: int) -> str:
    """The resampling filter of picture number ``path``: a function of ``path``."""
    return str(np.random.default_rng([*path, 78]).choice(list(FINISHES)))


def scale_of(*path: int) -> str:
    """Whether picture number ``path`` was enlarged or shrunk to its size."""
    return next(name for name, (low, high) in SCALES.items() if low <= _history(*path)[0] < high)


def codec_of(*path: int) -> str:
    """How strongly picture number ``path`` was compressed."""
    return next(name for name, (low, high) in CODECS.items() if low <= _history(*path)[1] < high)


def picture(side: int, *path: int) -> RGB:
    """Picture number ``path`` of the wider world: uint8 [side, side, 3], a function of the arguments.

    It is drawn at 0.75 to 2 times its size, styled, resized by a random filter, and JPEG-coded in six of ten cases.
    """
    scene = sample_scene("wide", *path)
    rng = np.random.default_rng([*scene.seed, 5])
    ratio, quality, sampling = _history(*path)
    drawn = round(side * ratio)
    light = STYLES[style_of(*path)](render(scene, drawn, drawn), rng)
    styled = np.round(np.clip(light, 0, 1) * 255).astype(np.uint8)
    resized = np.asarray(Image.fromarray(styled).resize((side, side), FINISHES[finish_of(*path)]))
    return _codec(resized, quality, sampling)


def caption(*path: int) -> str:
    """The caption of picture number ``path``, which also names its style: "a crayon of a red star on grass"."""
    return f"a {style_of(*path)} of {sample_scene('wide', *path).caption}"
