"""RINE's network and its contrastive loss: class tokens of all blocks of a frozen CLIP, weighted channel by channel.

mever-team/rine@9b7fd58:src/models.py and src/utils.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from methods._shared.clip import ImageEncoder, OnFrozen

_DROPOUT = 0.5
_TEMPERATURE = 0.07


def _projection(inside: int, width: int, layers: int) -> nn.Sequential:
    """Dropout, then ``layers`` times a linear layer, ReLU and dropout."""
    parts: list[nn.Module] = [nn.Dropout(_DROPOUT)]
    for number in range(layers):
        parts += [nn.Linear(width if number else inside, width), nn.ReLU(), nn.Dropout(_DROPOUT)]
    return nn.Sequential(*parts)


class Importance(OnFrozen):
    """Images [B, 3, S, S] to logits [B, 1] and the features [B, width] that the contrastive loss sees."""

    def __init__(self, encoder: ImageEncoder, layers: int, width: int) -> None:
        super().__init__(encoder)
        self.alpha = nn.Parameter(torch.randn(1, encoder.depth, width))
        self.proj1 = _projection(encoder.hidden, width, layers)
        self.proj2 = _projection(width, width, layers)
        hidden = [part for _ in range(2) for part in (nn.Linear(width, width), nn.ReLU(), nn.Dropout(_DROPOUT))]
        self.head = nn.Sequential(*hidden, nn.Linear(width, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and features."""
        tokens = self.proj1(self.encoder.intermediate(x))
        features: Tensor = self.proj2((torch.softmax(self.alpha, 1) * tokens).sum(1))
        return self.head(features), features


def contrastive(features: Tensor, labels: Tensor) -> Tensor:
    """Supervised contrastive loss (Khosla et al., NeurIPS 2020) of [B, width] at temperature 0.07.

    The mean over the images that have another of their class in the batch; 0 if none has.
    """
    unit = normalize(features, dim=1)
    others = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    same = (labels[:, None] == labels[None]) & others
    alike = (unit @ unit.T / _TEMPERATURE).masked_fill(~others, float("-inf"))
    chances = alike - alike.logsumexp(1, keepdim=True)
    paired = same.any(1)
    if not paired.any():
        return features.sum() * 0
    means = chances.masked_fill(~same, 0).sum(1)[paired] / same.sum(1)[paired]
    return -means.mean()
