"""Augmentation, crops and the contrastive loss of DRCT, also used by DRCT+SARE and the ``drct`` variants.

beibuwandeluori/DRCT@01aa7d0: data/transform.py, utils/losses.py (pytorch-metric-learning's ContrastiveLoss).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from bench.artefacts.geometry import crop, pad_to_square
from methods._shared import augment

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Turn:
    """The flip and rotation of a training view, so that a map of the same image can be transformed alike.

    ``mirrored``: whether it is flipped horizontally. ``quarters``: number of rotations by 90°, 0…3.
    """

    mirrored: bool
    quarters: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Turn:
        """Draw a horizontal flip with probability 0.5, and a random multiple of 90° with probability 0.5."""
        return cls(bool(rng.random() < 0.5), int(rng.integers(4)) if rng.random() < 0.5 else 0)

    def apply(self, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        """Flip, then rotate an array [H, W, …]."""
        return np.rot90(plane[:, ::-1] if self.mirrored else plane, self.quarters)


def train_view(rgb: RGB, size: int, turn: Turn, full: bool, rng: np.random.Generator) -> RGB:
    """Return a training crop [size, size, 3]: JPEG, noise, blur, flip and rotation, crop.

    ``full`` adds the rest of DRCT's augmentations: rescaling, colour, dropout, greyscale and warping.
    """
    if rng.random() < 0.5:
        rgb = augment.image_compression(rgb, rng)
    if full and rng.random() < 0.2:
        rgb = augment.rescale(rgb, rng)
    if rng.random() < 0.1:
        rgb = augment.gaussian_noise(rgb, rng)
    if rng.random() < 0.1:
        rgb = augment.gaussian_blur(rgb, rng)
    rgb = np.ascontiguousarray(crop(pad_to_square(np.asarray(turn.apply(rgb), np.uint8), size), size, rng))
    if not full:
        return rgb
    if rng.random() < 0.5:
        rgb = augment.colour(rgb, rng)
    if rng.random() < 0.5:
        rgb = augment.dropout(rgb, rng)
    if rng.random() < 0.2:
        rgb = augment.grey(rgb)
    return augment.shift_scale_rotate(rgb, rng) if rng.random() < 0.5 else rgb


def test_view(rgb: RGB, size: int) -> RGB:
    """Return the centre crop [size, size, 3] at native resolution, zero-padded if the image is smaller."""
    return crop(pad_to_square(rgb, size), size, None, "albumentations")


def contrastive(features: Tensor, labels: Tensor, pos_margin: float = 0.0, neg_margin: float = 1.0) -> Tensor:
    """Mean of relu(d − pos_margin) over pairs with equal labels plus mean of relu(neg_margin − d) over all other pairs.

    ``features`` [B, D] are normalised to unit length; d is their Euclidean distance. Each mean is over the non-zero
    terms, and 0 if there are none.
    """
    unit = normalize(features.float(), dim=1)
    squared = (2 - 2 * unit @ unit.T).clamp(min=1e-12)
    same = labels[:, None] == labels[None]
    distinct = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    close = (squared.sqrt() - pos_margin).relu()[same & distinct]
    far = (neg_margin - squared.sqrt()).relu()[~same]
    return _mean_of_positive(close) + _mean_of_positive(far)


def _mean_of_positive(terms: Tensor) -> Tensor:
    positive = terms > 0
    return (terms * positive).sum() / positive.sum().clamp(min=1)
