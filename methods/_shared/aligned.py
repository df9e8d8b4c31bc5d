"""AlignedForensics' augmentation of training images, on uint8 [H, W, 3].

AniSundar18/AlignedForensics@e4cc011:training_code/utils/processing.py with the arguments in script_train.sh.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.artefacts.geometry import crop
from methods._shared import augment, jitter

RGB = NDArray[np.uint8]
#: The largest changes of brightness, contrast, saturation and hue.
COLOURS = (0.4, 0.4, 0.4, 0.1)
#: The grey level of the square that is cut out.
FILLING = 128


class Strength(Protocol):
    """How often and how much a training image is changed."""

    @property
    def crop_size(self) -> int:
        """Side of the crop, in pixels."""

    @property
    def resize_size(self) -> int:
        """Side to which a random part of the image is resized."""

    @property
    def hole(self) -> int:
        """Side of the square that is cut out."""

    @property
    def resize_prob(self) -> float:
        """Probability of a random part, resized."""

    @property
    def jitter_prob(self) -> float:
        """Probability of other colours."""

    @property
    def grey_prob(self) -> float:
        """Probability of a grey image."""

    @property
    def cutout_prob(self) -> float:
        """Probability of a hole."""

    @property
    def noise_prob(self) -> float:
        """Probability of noise."""

    @property
    def blur_prob(self) -> float:
        """Probability of blur."""

    @property
    def jpg_prob(self) -> float:
        """Probability of JPEG compression."""


def train_view(rgb: RGB, p: Strength, rng: np.random.Generator) -> RGB:
    """A training view [crop_size, crop_size, 3]; two images of one size change alike with equal generators."""
    if rng.random() < p.resize_prob:
        rgb = jitter.resized_crop(rgb, jitter.random_place(rgb.shape[0], rgb.shape[1], rng), p.resize_size)
    if rng.random() < p.jitter_prob:
        rgb = jitter.colour_jitter(rgb, COLOURS, rng)
    if rng.random() < p.grey_prob:
        rgb = jitter.grey(rgb)
    if rng.random() < p.cutout_prob:
        centre = int(rng.integers(rgb.shape[0] + 1)), int(rng.integers(rgb.shape[1] + 1))
        rgb = cut_out(rgb, centre, p.hole)
    if rng.random() < p.noise_prob:
        rgb = augment.gaussian_noise(rgb, rng)
    rgb = augment.blur_or_jpeg(rgb, p.blur_prob, p.jpg_prob, rng)
    rgb = np.rot90(rgb, int(rng.integers(4)))
    rgb = rgb[:, ::-1] if rng.random() < 0.5 else rgb
    return crop(mirrored(rgb, p.crop_size), p.crop_size, rng)


def cut_out(rgb: RGB, centre: tuple[int, int], side: int) -> RGB:
    """Albumentations' ``Cutout``: a grey square around a centre; at the top and left it keeps its whole side."""
    rgb = rgb.copy()
    top, left = (max(place - side // 2, 0) for place in centre)
    rgb[top : top + side, left : left + side] = FILLING
    return rgb


def mirrored(rgb: RGB, size: int) -> RGB:
    """Mirror an image at its edges where a side is below ``size``: at both ends by all that is lacking."""
    lacking = [max(0, size - side) for side in rgb.shape[:2]]
    return np.pad(rgb, ((lacking[0],) * 2, (lacking[1],) * 2, (0, 0)), mode="symmetric")
