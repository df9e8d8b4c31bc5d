"""D³'s network: attention between an image's CLIP features and those of the same image with its patches shuffled.

BigAandSmallq/D3@14f21ad:models/clip_models.py and models/transformer_attention.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import fold, unfold

from methods._shared.clip import ImageEncoder, OnFrozen


def shuffled(x: Tensor, order: Tensor, patch: int) -> Tensor:
    """Images [B, 3, H, W] with their patches in the ``order`` [B, N] of their numbers, row by row."""
    pieces = unfold(x, patch, stride=patch)
    pieces = pieces.gather(2, order[:, None].expand(-1, pieces.shape[1], -1))
    return fold(pieces, x.shape[-2:], patch, stride=patch)


class Attention(nn.Module):
    """Features [B, 2, width] to logits [B, 1]. The softmax is over the queries, as in the official code."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.fc = nn.Linear(2 * width, 1)
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0, 0.02)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits."""
        scores = self.query(features) @ self.key(features).transpose(1, 2) / math.sqrt(features.shape[-1])
        logits: Tensor = self.fc((scores.softmax(1) @ self.value(features)).flatten(1))
        return logits


class Discrepancy(OnFrozen):
    """Images [B, 3, S, S] and orders of their patches [B, N] to logits [B, 1]."""

    def __init__(self, encoder: ImageEncoder, patch: int) -> None:
        super().__init__(encoder)
        self.patch = patch
        self.attention_head = Attention(encoder.hidden)

    def forward(self, x: Tensor, order: Tensor) -> Tensor:
        """Return the logits."""
        both = [self.encoder.tokens(image)[:, 0] for image in (shuffled(x, order, self.patch), x)]
        logits: Tensor = self.attention_head(torch.stack(both, 1))
        return logits
