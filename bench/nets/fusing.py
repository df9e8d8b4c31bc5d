"""Fusing's network (PSM): one ResNet on the whole image and on six windows selected by its own features.

Layers, keys and window rule: littlejuyan/FusingGlobalandLocal@0cb3d26:networks/trainer.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.resnet import ResNet, Shape

TOKEN, HEADS, LAYERS, PICKS = 128, 4, 3, 3


class SelfAttention(nn.Module):
    """Attention, then a two-layer network, each with a residual connection and layer normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.mha = nn.MultiheadAttention(TOKEN, HEADS, batch_first=True)
        self.ln1, self.ln2 = nn.LayerNorm(TOKEN), nn.LayerNorm(TOKEN)
        self.fc1, self.fc2 = nn.Linear(TOKEN, TOKEN), nn.Linear(TOKEN, TOKEN)

    def forward(self, x: Tensor) -> Tensor:
        """[B, tokens, 128], same shape out."""
        x = self.ln1(x + self.mha(x, x, x, need_weights=False)[0])
        mixed: Tensor = self.ln2(x + self.fc2(torch.relu(self.fc1(x))))
        return mixed


def _peaks(scores: Tensor, count: int) -> Tensor:
    """Row and column of the ``count`` highest scores [B, 1, H, W]: [B, count, 2].

    Each peak sets the 3 × 3 scores around it to 0 before the next one is selected.
    """
    peaks, width = [], scores.shape[-1]
    for _ in range(count):
        best, index = scores.flatten(1).max(1)
        peaks.append(torch.stack([index // width, index % width], 1))
        near = F.max_pool2d(scores, 3, 1, 1) == best.view(-1, 1, 1, 1)
        scores = scores.masked_fill(near, 0.0)
    return torch.stack(peaks, 1)


@torch.no_grad()
def windows(features: Tensor, sizes: Tensor, side: int) -> Tensor:
    """Top, left, bottom and right of six windows per image, in pixels of the full image: int64 [B, 6, 4].

    ``features`` [B, C, h, w] are those of the centre crop, ``sizes`` int64 [B, 2] the height and width of the full
    images. Three windows have a side of ``side`` pixels, three of half of that. A window that extends beyond the image
    is shifted inside.
    """
    grid = torch.tensor(features.shape[2:], device=features.device)
    shorter = sizes.min(1, keepdim=True).values
    base = (sizes - shorter) // 2
    boxes = []
    for kernel, extent in ((3, side), (2, side // 2)):
        scores = F.avg_pool2d(features, kernel, 1).sum(1, keepdim=True)
        rest = grid - torch.tensor(scores.shape[2:], device=features.device)
        for peak in _peaks(scores, PICKS).unbind(1):
            centre = (base + shorter * ((2 * peak + rest + 1) / (2 * grid))).long()
            start = (centre - extent // 2).clamp(min=0)
            start = torch.minimum(start, (sizes - extent).clamp(min=0))
            boxes.append(torch.cat([start, torch.minimum(start + extent, sizes)], 1))
    return torch.stack(boxes, 1)


def cut(full: Tensor, boxes: Tensor, side: int) -> Tensor:
    """The windows [B, 6, 4] of images [B, 3, H, W], resized to ``side``: [B · 6, 3, side, side]."""
    crops = []
    for image, image_boxes in zip(full, boxes.tolist(), strict=True):
        for top, left, bottom, right in image_boxes:
            crop = image[None, :, top:bottom, left:right]
            if crop.shape[2:] != (side, side):
                crop = F.interpolate(crop, (side, side), mode="bilinear", align_corners=True)
            crops.append(crop)
    return torch.cat(crops)


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
        """Logits [B, 1] of centre crops [B, 3, S, S] and full images [B, 3, H, W], padded to one size.

        ``sizes`` int64 [B, 2] are the heights and widths of the full images without padding.
        """
        features, global_token = self._token(image)
        boxes = windows(features.detach(), sizes, image.shape[-1])
        _, local_tokens = self._token(cut(full, boxes, image.shape[-1]))
        tokens = torch.cat([local_tokens.view(len(image), -1, TOKEN), global_token[:, None]], 1)
        logits: Tensor = self.fc(self.mha_list(tokens)[:, -1])
        return logits
