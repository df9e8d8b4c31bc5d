"""The criterion of Manifold-Induced Biases (ICLR 2025), and how its images are resized.

JonathanBrok/Manifold-Induced-Biases-for-Zero-shot-and-Few-shot-Detection-of-Generated-Images@1e42a51.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

#: Pixels that the shorter side has before the crop, beyond those that stay.
MARGIN = 3
#: The number of dimensions in the formula; CLIP ViT-L/14, which the authors use, has 768.
DIMENSIONS = 512
#: The smallest length of a vector in a cosine.
_EPSILON = 1e-6


class Terms(NamedTuple):
    """The terms of the criterion, each of shape [B]: ``bias``, ``length`` (D in the paper) and ``curvature`` (κ)."""

    bias: Tensor
    length: Tensor
    curvature: Tensor


def framed(images: Tensor, size: int) -> Tensor:
    """Float [B, 3, H, W] to [B, 3, size, size]: the shorter side becomes a little larger than ``size``, then a crop.

    Bilinear with antialiasing; the crop begins at half the margin, rounded down.
    """
    height, width = images.shape[-2:]
    short = size + MARGIN
    sides = [
        short if side == min(height, width) else int(short * side / min(height, width)) for side in (height, width)
    ]
    resized = F.interpolate(images, size=sides, mode="bilinear", align_corners=False, antialias=True)
    top, left = ((side - size) // 2 for side in sides)
    return resized[..., top : top + size, left : left + size]


def spherical(noise: Tensor) -> Tensor:
    """Noise [B, C, H, W] scaled to the length that standard normal noise has on average, √(C · H · W)."""
    length = noise.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return noise / length * math.sqrt(noise[0].numel())


def pictures(pixels: Tensor, size: int) -> list[NDArray[np.uint8]]:
    """Decoded pixels [B, 3, H, W] near −1…1 as images uint8 [size, size, 3], framed again and rounded."""
    values = (framed(pixels, size) / 2 + 0.5).clamp(0, 1) * 255
    return list(values.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


def terms(image: Tensor, predicted: Tensor, added: Tensor) -> Terms:
    """The terms for embeddings [B, width] of images, of decoded predicted noise and of decoded added noise."""
    bias = F.cosine_similarity(image, predicted, dim=1, eps=_EPSILON)
    return Terms(bias, predicted.norm(dim=1), F.cosine_similarity(predicted, added, dim=1, eps=_EPSILON))


def criterion(means: Terms) -> Tensor:
    """The criterion [B] from terms that are means over the draws of noise; larger = generated."""
    root = math.sqrt(DIMENSIONS)
    return 1 + (root * means.bias - means.length + means.curvature) / (root + 2)
