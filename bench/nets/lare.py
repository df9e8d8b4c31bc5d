"""LaRE²'s classifier: a CLIP ResNet whose features are refined by the latent error map (EGRE).

Layers and keys: luo3300612/LaRE@f8b2966:model.py (CLipClassifierWMapV6), model_base.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.clip_resnet import ClipResNet, Shape

HEADS, HEAD_WIDTH, DROPOUT, NARROW = 8, 64, 0.1, 128


class _Attention(nn.Module):
    """Attention with one query over all tokens; the error map is added to the attention scores of every head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.fc_q, self.fc_k, self.fc_v = (nn.Linear(width, inner) for _ in range(3))
        self.fc_o, self.dropout = nn.Linear(inner, width), nn.Dropout(DROPOUT)
        for layer in (self.fc_q, self.fc_k, self.fc_v, self.fc_o):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """Tokens [B, T, C], of which the first is the query, and biases [B, heads, 1, T] to [B, C]."""
        q, k, v = (
            projected.unflatten(2, (HEADS, HEAD_WIDTH)).transpose(1, 2)
            for projected in (self.fc_q(tokens[:, :1]), self.fc_k(tokens), self.fc_v(tokens))
        )
        weights = (q @ k.transpose(2, 3) / HEAD_WIDTH**0.5 + bias).softmax(3)
        mixed: Tensor = self.fc_o((self.dropout(weights) @ v).transpose(1, 2).flatten(2))[:, 0]
        return mixed


class SpatialRefinement(nn.Module):
    """Attention pooling of the features with the error map as the attention bias."""

    def __init__(self, width: int, cells: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(cells + 1, width) / width**0.5)
        self.attention, self.layer_norm = _Attention(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, features: Tensor, error: Tensor) -> Tensor:
        """Features [B, C, H, W] and errors [B, heads, H, W] to [B, C]."""
        tokens = features.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + self.positional_embedding
        flat = error.flatten(2)
        bias = torch.cat([flat.mean(2, keepdim=True), flat], 2)[:, :, None]
        refined: Tensor = self.layer_norm(tokens[:, 0] + self.dropout(self.attention(tokens, bias)))
        return refined


class ChannelRefinement(nn.Module):
    """Channel attention on the pooled features, with weights from the mean error."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        narrow = nn.Linear(inside, NARROW, bias=False)
        self.fc = nn.Sequential(narrow, nn.ReLU(), nn.Linear(NARROW, width, bias=False), nn.Sigmoid())

    def forward(self, features: Tensor, error: Tensor) -> Tensor:
        """Features [B, C, H, W] and errors [B, 4, h, w] to [B, C]."""
        weighted: Tensor = features.mean((2, 3)) * self.fc(error.mean((2, 3)))
        return weighted


class LaRE(nn.Module):
    """Images [B, 3, S, S] and error maps [B, 4, h, w] to logits [B, 2].

    ``spatial`` and ``channel`` enable the two halves of EGRE; the features of a disabled half are left out of the head.
    ``conv_align`` is part of the published state, but is never used.
    """

    def __init__(self, shape: Shape, spatial: bool = True, channel: bool = True, latent: int = 4) -> None:
        super().__init__()
        width = 16 * shape.width
        self.clip_model = nn.ModuleDict({"visual": ClipResNet(shape)})
        self.grid = self._grid(shape)
        self.spatial, self.channel = spatial, channel
        self.conv = nn.Conv2d(latent, HEADS, 1)
        self.conv_align = nn.Conv2d(latent, width, 1)
        self.attn_pool = SpatialRefinement(width, self.grid**2)
        self.channel_align = ChannelRefinement(latent, width)
        self.fc = nn.Linear(shape.output + width * (spatial + channel), 2)

    @staticmethod
    def _grid(shape: Shape) -> int:
        side = shape.side
        for stride in shape.strides[:-1]:
            side //= stride
        return side

    def forward(self, image: Tensor, error: Tensor) -> Tensor:
        """Logits [B, 2] (real, fake)."""
        tower: Any = self.clip_model["visual"]
        taps = tower.taps(image)
        head_inputs, features = [taps["pooled"]], taps["layer3"]
        if self.spatial:
            aligned = F.adaptive_avg_pool2d(error, (self.grid, self.grid))
            head_inputs.append(self.attn_pool(features, self.conv(aligned)))
        if self.channel:
            head_inputs.append(self.channel_align(features, error))
        logits: Tensor = self.fc(torch.cat(head_inputs, 1))
        return logits
