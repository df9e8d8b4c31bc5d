"""CycleISP's sRGB denoiser, the noise extractor of LNP: layers and keys of swz30/CycleISP:networks/denoising_rgb.py.

LNP uses the noise that the network removes: noise = image − denoised.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.nets.loading import load_strictly, read_tensors


@dataclass(frozen=True)
class Shape:
    """The denoiser's shape; the defaults are the published ones, with 2.8 M parameters."""

    width: int = 64
    groups: int = 4
    blocks: int = 8
    reduction: int = 16


def _conv(inside: int, outside: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, kernel, padding=kernel // 2)


class _Spatial(nn.Module):
    """Spatial attention from the maximum and the mean over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.ModuleDict({"conv": nn.Conv2d(2, 1, 3, padding=1, bias=False)})

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], same shape out."""
        pooled = torch.cat([x.max(1, keepdim=True).values, x.mean(1, keepdim=True)], 1)
        weighted: Tensor = x * torch.sigmoid(self.spatial["conv"](pooled))
        return weighted


class _Channel(nn.Module):
    """Channel attention from the channels' means."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        narrow = max(1, shape.width // shape.reduction)
        self.conv_du = nn.Sequential(_conv(shape.width, narrow, 1), nn.ReLU(), _conv(narrow, shape.width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], same shape out."""
        weighted: Tensor = x * torch.sigmoid(self.conv_du(x.mean((2, 3), keepdim=True)))
        return weighted


class _DualAttention(nn.Module):
    """Two convolutions, then both attentions in parallel, with a residual connection."""

    def __init__(self, shape: Shape, act: nn.PReLU) -> None:
        super().__init__()
        width = shape.width
        self.SA, self.CA = _Spatial(), _Channel(shape)
        self.body = nn.Sequential(_conv(width, width), act, _conv(width, width))
        self.conv1x1 = _conv(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], same shape out."""
        h = self.body(x)
        out: Tensor = x + self.conv1x1(torch.cat([self.SA(h), self.CA(h)], 1))
        return out


class _Group(nn.Module):
    """Blocks and a convolution, with a residual connection."""

    def __init__(self, shape: Shape, act: nn.PReLU) -> None:
        super().__init__()
        blocks = [_DualAttention(shape, act) for _ in range(shape.blocks)]
        self.body = nn.Sequential(*blocks, _conv(shape.width, shape.width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], same shape out."""
        out: Tensor = x + self.body(x)
        return out


class Denoiser(nn.Module):
    """Images [B, 3, H, W] in 0…1 to their noise (image − denoised), same shape out. All layers share one PReLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        act = nn.PReLU(shape.width)
        groups = [_Group(shape, act) for _ in range(shape.groups)]
        self.head = nn.Sequential(_conv(3, shape.width))
        self.body = nn.Sequential(*groups, _conv(shape.width, shape.width), act)
        self.tail = nn.Sequential(_conv(shape.width, 3))

    def forward(self, x: Tensor) -> Tensor:
        """The estimated noise."""
        noise: Tensor = -self.tail(self.body(self.head(x)))
        return noise


def load_denoiser(folder: Path) -> Denoiser:
    """Load the denoiser from ``config.json`` (if absent: the published shape) and ``model.safetensors`` in a folder."""
    config = folder / "config.json"
    network = Denoiser(Shape(**json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}))
    file = folder / "model.safetensors"
    load_strictly(network, read_tensors(file), file, "CycleISP sRGB denoiser")
    return network.eval()
