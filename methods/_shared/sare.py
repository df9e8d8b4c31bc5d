"""SARE's network: cross-attention from an image embedding to the feature grid of a ResNet on |x − x̂|."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.resnet import ResNet
from methods._shared.clip import ImageEncoder, OnFrozen

#: With fewer keys, attention would be little more than an average.
LEAST_KEYS = 16


def difference(before: NDArray[np.generic], after: NDArray[np.generic], side: int) -> Tensor:
    """Return |x − x̂| of two uint8 [H, W, 3] as float [3, side, side] in 0…2.

    The whole difference is resized by bilinear interpolation. In the permuted control, x̂ belongs to another image and
    may have another size; it is first resized to the size of x.
    """
    if after.shape != before.shape:
        image = Image.fromarray(np.ascontiguousarray(after, np.uint8))
        after = np.asarray(image.resize(before.shape[1::-1], Image.Resampling.BILINEAR))
    gap = np.abs(before.astype(np.float32) - after.astype(np.float32)) / 127.5
    plane = torch.from_numpy(np.ascontiguousarray(gap)).permute(2, 0, 1)[None]
    return F.interpolate(plane, (side, side), mode="bilinear", align_corners=False)[0]


class CrossAttention(nn.Module):
    """Multi-head scaled dot-product attention of queries [B, Q, D] over keys and values [B, K, C]: [B, Q, D]."""

    def __init__(self, width: int, keys: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.o = nn.Linear(width, width), nn.Linear(width, width)
        self.k, self.v = nn.Linear(keys, width), nn.Linear(keys, width)

    def forward(self, query: Tensor, grid: Tensor) -> Tensor:
        """Return the attended features [B, Q, D]."""
        q, k, v = (
            x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (self.q(query), self.k(grid), self.v(grid))
        )
        attended: Tensor = self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return attended


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
        """Return the logits and fused features. Raises ValueError if the grid has fewer than 16 cells."""
        query = self.encoder(image)[:, None] if self.query == "global" else self.encoder.tokens(image)
        grid = self.sem.taps(sare)["layer4"].flatten(2).transpose(1, 2)
        if grid.shape[1] < LEAST_KEYS:
            raise ValueError(f"The attention has {grid.shape[1]} keys, fewer than {LEAST_KEYS}. Use a smaller stride.")
        fused = self.attn(query, grid)
        fused = fused if self.norm is None else self.norm(query + fused)
        return self.head(fused[:, 0])[:, 0], fused[:, 0]
