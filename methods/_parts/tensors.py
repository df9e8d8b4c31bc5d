"""From pixels to tensors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def chw(rgb: NDArray[np.uint8]) -> Tensor:
    """uint8 [H, W, 3] to float [3, H, W] in 0…1."""
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1).float() / 255


def imagenet(rgb: NDArray[np.uint8]) -> Tensor:
    """uint8 [H, W, 3] to float [3, H, W], ImageNet mean and deviation."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (chw(rgb) - mean) / std
