"""PatchCraft's preparation: an image as its patches with the least and with the most texture.

mever-team/sidbench@b33f51c:dataset/process.py.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from methods._shared.augment import pillow_jpeg, scaled
from methods._shared.tensors import chw

RGB = NDArray[np.uint8]


def texture(patches: Tensor) -> Tensor:
    """The sum of absolute differences of neighbouring pixels in four directions: [N, 3, S, S] to float64 [N].

    Each direction is summed in single precision, as in the official code: patches with about the same texture keep its
    order.
    """
    pairs = (
        (patches[:, :, :-1], patches[:, :, 1:]),
        (patches[..., :-1], patches[..., 1:]),
        (patches[:, :, :-1, :-1], patches[:, :, 1:, 1:]),
        (patches[:, :, :-1, 1:], patches[:, :, 1:, :-1]),
    )
    total = torch.zeros(len(patches), dtype=torch.float64)
    for one, other in pairs:
        total += (one - other).abs().flatten(1).sum(1)
    return total


def contrast(rgb: RGB, size: int, blocks: int, seed: int) -> Tensor:
    """Put together the patches with the least and the most texture: uint8 [H, W, 3] to float [2, 3, size, size] in 0…1.

    A third of 3 · blocks² patches, drawn by torch's generator, make each image, row by row: the poorest first in one,
    the richest first in the other. An image that is smaller than a patch is resized to one.
    """
    side = size // blocks
    if min(rgb.shape[:2]) < side:
        rgb = np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BILINEAR))
    image, generator = chw(rgb), torch.Generator().manual_seed(seed)
    rows, columns = (length - side + 1 for length in image.shape[1:])
    patches = []
    for _ in range(3 * blocks**2):
        top, left = (_drawn(choices, (rows, columns), generator) for choices in (rows, columns))
        patches.append(image[:, top : top + side, left : left + side])
    stacked = torch.stack(patches)
    order = texture(stacked).argsort(stable=True)
    chosen = torch.stack([order[: blocks**2], order.flip(0)[: blocks**2]])
    grid: Tensor = stacked[chosen].view(2, blocks, blocks, 3, side, side)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(2, 3, size, size)


def _drawn(choices: int, both: tuple[int, int], generator: torch.Generator) -> int:
    """One of ``choices``; as in torchvision's RandomCrop, nothing is drawn if the patch is the whole image."""
    return 0 if both == (1, 1) else int(torch.randint(0, choices, (1,), generator=generator))


def degraded(rgb: RGB, probability: float, rng: np.random.Generator) -> RGB:
    """Shrink to 0.25…0.5 of the sides, blur with σ in 0…1 and compress as JPEG of quality 70…100.

    Each has that ``probability``.
    """
    if rng.random() < probability:
        rgb = scaled(rgb, rng.uniform(0.25, 0.5))
    if rng.random() < probability:
        sigma = rng.uniform(0, 1)
        rgb = ndimage.gaussian_filter(rgb, (sigma, sigma, 0))
    return pillow_jpeg(rgb, int(rng.integers(70, 101))) if rng.random() < probability else rgb
