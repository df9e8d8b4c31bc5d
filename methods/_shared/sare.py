"""SARE's network: cross-attention from an image embedding to the grid of a ResNet over |x − x̂|."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.resnet import ResNet
from methods._shared.clip import ImageEncoder, OnFrozen

#: With fewer keys the attention would be an average in disguise.
LEAST_KEYS = 16


def difference(before: NDArray[np.generic], after: NDArray[np.generic], side: int) -> Tensor:
    """|x − x̂| of two uint8 [H, W, 3] as float [3, side, side] in 0…2, resized whole by bilinear interpolation.

    In the permuted control x̂ is another image's and may have another size: it is brought to that of x.
    """
    if after.shape != before.shape:
        whole = Image.fromarray(np.ascontiguousarray(after, np.uint8))
        after = np.asarray(whole.resize(before.shape[1::-1], Image.Resampling.BILINEAR))
    gap = np.abs(before.astype(np.float32) - after.astype(np.float32)) / 127.5
    plane = torch.from_numpy(np.ascontiguousarray(gap)).permute(2, 0, 1)[None]
    return F.interpolate(plane, (side, side), mode="bilinear", align_corners=False)[0]


class CrossAttention(nn.Module):
    """Query [B, Q, D] over keys and values [B, K, C] to [B, Q, D], scaled dot products in ``heads`` heads."""

    def __init__(self, width: int, keys: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.o = nn.Linear(width, width), nn.Linear(width, width)
        self.k, self.v = nn.Linear(keys, width), nn.Linear(keys, width)

    def forward(self, query: Tensor, grid: Tensor) -> Tensor:
        """Attend."""
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.q(query), self.k(grid), self.v(grid))
        )
        mixed: Tensor = self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return mixed


class SARE(OnFrozen):
    """Images and differences [B, 3, S, S] to (logits [B], fused features [B, D])."""

    def __init__(self, encoder: ImageEncoder, sem: ResNet, query: str, residual: str, heads: int) -> None:
        super().__init__(encoder)
        width = encoder.width if query == "global" else int(encoder.clip.config.hidden_size)
        self.sem, self.query = sem, query
        self.attn = CrossAttention(width, sem.features, heads)
        self.norm = nn.LayerNorm(width) if residual == "add_norm" else None
        self.head = nn.Linear(width, 1)

    def forward(self, image: Tensor, sare: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and fused features. Raises ValueError where the grid has fewer than 16 cells."""
        asked = self.encoder(image)[:, None] if self.query == "global" else self.encoder.tokens(image)
        grid = self.sem.taps(sare)["layer4"].flatten(2).transpose(1, 2)
        if grid.shape[1] < LEAST_KEYS:
            raise ValueError(f"The attention has {grid.shape[1]} keys, fewer than {LEAST_KEYS}: use a smaller stride.")
        fused = self.attn(asked, grid)
        fused = fused if self.norm is None else self.norm(asked + fused)
        return self.head(fused[:, 0])[:, 0], fused[:, 0]
