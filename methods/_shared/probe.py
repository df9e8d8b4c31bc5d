"""Frozen open encoders, of which a linear layer reads the pooled feature."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import AutoModel

from bench.nets.pretrained import load_pretrained
from methods._shared.clip import ImageEncoder, LinearHead
from methods._shared.tensors import IMAGENET_MEAN, IMAGENET_STD, chw


class Pooled(nn.Module):
    """Frozen DINOv2 or DINOv3: images [B, 3, S, S] to the class token after the last norm [B, width].

    It is whatever transformers' AutoModel makes of the folder's ``config.json``, in single precision.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.network: Any = load_pretrained(AutoModel, folder, dtype=torch.float32)
        self.requires_grad_(False)
        self.width = int(self.network.config.hidden_size)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return the features [B, width]."""
        pooled: Tensor = self.network(pixel_values=x).pooler_output
        return pooled


def probe(folder: Path, clip: bool) -> LinearHead:
    """One logit: a linear layer on the pooled feature, or on the image embedding of a CLIP."""
    encoder = ImageEncoder(folder) if clip else cast(ImageEncoder, Pooled(folder))
    return LinearHead(encoder, 1)


def squashed(rgb: NDArray[np.uint8], side: int) -> Tensor:
    """DINOv3's processor in transformers: float [3, side, side] of uint8 [H, W, 3], with ImageNet's mean and deviation.

    The image becomes a square by bilinear interpolation with antialiasing, in floating point and thus without rounding.
    """
    resized = interpolate(chw(rgb)[None], (side, side), mode="bilinear", antialias=True)[0]
    centre, spread = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (resized - centre) / spread
