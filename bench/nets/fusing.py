"""Fusing's network (PSM): one ResNet on the whole image and on six windows that its own features choose.

Layers, keys and window rule: littlejuyan/FusingGlobalandLocal@0cb3d26:networks/trainer.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.resnet import ResNet, Shape

TOKEN, HEADS, LAYERS, PICKS = 128, 4, 3, 3


class SelfAttention(nn.Module):
    """Attention, then a two-layer network, each added and normalised: [B, tokens, 128], same shape out."""

    def __init__(self) -> None:
        super().__init__()
        self.mha = nn.MultiheadAttention(TOKEN, HEADS, batch_first=True)
        self.ln1, self.ln2 = nn.LayerNorm(TOKEN), nn.LayerNorm(TOKEN)
        self.fc1, self.fc2 = nn.Linear(TOKEN, TOKEN), nn.Linear(TOKEN, TOKEN)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens."""
        x = self.ln1(x + self.mha(x, x, x, need_weights=False)[0])
        mixed: Tensor = self.ln2(x + self.fc2(torch.relu(self.fc1(x))))
        return mixed


def _peaks(scores: Tensor, count: int) -> Tensor:
    """Row and column of the ``count`` highest scores [B, 1, H, W], each erasing 3 × 3 around it: [B, count, 2]."""
    found, width = [], scores.shape[-1]
    for _ in range(count):
        best, place = scores.flatten(1).max(1)
        found.append(torch.stack([place // width, place % width], 1))
        near = F.max_pool2d(scores, 3, 1, 1) == best.view(-1, 1, 1, 1)
        scores = scores.masked_fill(near, 0.0)
    return torch.stack(found, 1)


@torch.no_grad()
def windows(features: Tensor, sizes: Tensor, side: int) -> Tensor:
    """Top, left, bottom, right of six windows an image, in pixels of the full image: int64 [B, 6, 4].

    ``features`` [B, C, h, w] are those of the centre crop, ``sizes`` int64 [B, 2] height and width of the full images.
    Three windows have ``side`` pixels, three half of that; they are moved inside the image where they stick out.
    """
    grid = torch.tensor(features.shape[2:], device=features.device)
    shorter = sizes.min(1, keepdim=True).values
    base = (sizes - shorter) // 2
    boxes = []
    for kernel, extent in ((3, side), (2, side // 2)):
        scores = F.avg_pool2d(features, kernel, 1).sum(1, keepdim=True)
        rest = grid - torch.tensor(scores.shape[2:], device=features.device)
        for place in _peaks(scores, PICKS).unbind(1):
            centre = (base + shorter * ((2 * place + rest + 1) / (2 * grid))).long()
            start = (centre - extent // 2).clamp(min=0)
            start = torch.minimum(start, (sizes - extent).clamp(min=0))
            boxes.append(torch.cat([start, torch.minimum(start + extent, sizes)], 1))
    return torch.stack(boxes, 1)


def cut(full: Tensor, boxes: Tensor, side: int) -> Tensor:
    """The windows [B, 6, 4] of images [B, 3, H, W], resized to ``side``: [B · 6, 3, side, side]."""
    parts = []
    for image, places in zip(full, boxes.tolist(), strict=True):
        for top, left, bottom, right in places:
            part = image[None, :, top:bottom, left:right]
            if part.shape[2:] != (side, side):
                part = F.interpolate(part, (side, side), mode="bilinear", align_corners=True)
            parts.append(part)
    return torch.cat(parts)


class Fusing(nn.Module):
    """Six local tokens and a global one through self-attention to one logit."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.resnet = ResNet(shape, classes=1000)
        self.fc1 = nn.Linear(self.resnet.features, TOKEN)
        self.mha_list = nn.Sequential(*(SelfAttention() for _ in range(LAYERS)))
        self.fc = nn.Linear(TOKEN, 1)

    def _token(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.resnet.taps(images)["layer4"]
        return features, torch.relu(self.fc1(features.mean((2, 3))))

    def forward(self, image: Tensor, full: Tensor, sizes: Tensor) -> Tensor:
        """Centre crops [B, 3, S, S], full images [B, 3, H, W] padded alike, their sizes [B, 2]: logits [B, 1]."""
        features, whole = self._token(image)
        boxes = windows(features.detach(), sizes, image.shape[-1])
        _, local = self._token(cut(full, boxes, image.shape[-1]))
        tokens = torch.cat([local.view(len(image), -1, TOKEN), whole[:, None]], 1)
        logits: Tensor = self.fc(self.mha_list(tokens)[:, -1])
        return logits
