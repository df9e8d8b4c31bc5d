"""Conversion of pixels to tensors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Triple = tuple[float, float, float]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: The mean and the standard deviation that map 0…1 to −1…1.
HALF = (0.5, 0.5, 0.5)


def chw(rgb: NDArray[np.uint8]) -> Tensor:
    """Convert uint8 [H, W, 3] to float [3, H, W] in 0…1."""
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1).float() / 255


def normalised(rgb: NDArray[np.uint8], mean: Triple, std: Triple) -> Tensor:
    """Convert uint8 [H, W, 3] to float [3, H, W], normalised with a mean and standard deviation per channel."""
    return standardised(chw(rgb), mean, std)


def standardised(x: Tensor, mean: Triple, std: Triple) -> Tensor:
    """Normalise float [3, H, W] with a mean and standard deviation per channel."""
    centre, spread = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))
    return (x - centre) / spread


def imagenet(rgb: NDArray[np.uint8]) -> Tensor:
    """Convert uint8 [H, W, 3] to float [3, H, W], normalised with ImageNet's mean and standard deviation."""
    return normalised(rgb, IMAGENET_MEAN, IMAGENET_STD)
