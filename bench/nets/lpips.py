"""LPIPS with an AlexNet trunk: the perceptual distance of arXiv 1801.03924, with the keys of the ``lpips`` package.

richzhang/PerceptualSimilarity v0.1: lpips/lpips.py, lpips/pretrained_networks.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.nets.loading import load_strictly, read_tensors

#: Indices of the convolutions in torchvision's AlexNet ``features``; each slice ends after the ReLU that follows one.
_CONVS = (0, 3, 6, 8, 10)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


@dataclass(frozen=True)
class Shape:
    """Channels of the five convolutions, and kernel, stride and padding of the first two; the defaults are AlexNet."""

    channels: tuple[int, ...] = (64, 192, 384, 256, 256)
    first: tuple[int, int, int] = (11, 4, 2)
    second: tuple[int, int, int] = (5, 1, 2)


class Trunk(nn.Module):
    """AlexNet's features in the five slices of the package: images [B, 3, H, W] to five maps."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        kernels = (shape.first, shape.second, *[(3, 1, 1)] * 3)
        inside = 3
        for number, (index, outside, kernel) in enumerate(zip(_CONVS, shape.channels, kernels, strict=True), 1):
            layers: dict[str, nn.Module] = {}
            if number in (2, 3):
                layers[str(index - 1)] = nn.MaxPool2d(3, 2)
            layers[str(index)] = nn.Conv2d(inside, outside, *kernel)
            layers[str(index + 1)] = nn.ReLU()
            slice_ = nn.Sequential()
            for name, layer in layers.items():
                slice_.add_module(name, layer)
            self.add_module(f"slice{number}", slice_)
            inside = outside

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps after each slice."""
        maps = []
        for number in range(1, 6):
            x = self.get_submodule(f"slice{number}")(x)
            maps.append(x)
        return maps


class _Head(nn.Module):
    """One non-negative weight per channel, at index 1 of a sequence because the package has a dropout before it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(channels, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, 1, H, W]."""
        weighted: Tensor = self.model(x)
        return weighted


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


class LPIPS(nn.Module):
    """Distances [B] of pairs of images [B, 3, H, W] in −1…1; 0 for equal images, larger for less similar ones."""

    shift: Tensor
    scale: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.net = Trunk(shape)
        for index, channels in enumerate(shape.channels):
            self.add_module(f"lin{index}", _Head(channels))
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Sum over the five maps of the weighted, spatially averaged squared difference of unit features."""
        maps = [self.net((x - self.shift) / self.scale) for x in (a, b)]
        total = torch.zeros(len(a), device=a.device)
        for index, (map_a, map_b) in enumerate(zip(*maps, strict=True)):
            difference = (_unit(map_a) - _unit(map_b)).square()
            total = total + self.get_submodule(f"lin{index}")(difference).mean((1, 2, 3))
        return total


def load_lpips(folder: Path) -> LPIPS:
    """Load the network from ``config.json`` (if absent: AlexNet) and ``model.safetensors`` with the package's keys.

    Raises UserError unless every key and shape matches.
    """
    config = folder / "config.json"
    values = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
    net = LPIPS(Shape(**{name: tuple(value) for name, value in values.items()}))
    file = folder / "model.safetensors"
    state = {
        name: tensor
        for name, tensor in read_tensors(file).items()
        if not name.startswith(("lins.", "scaling_layer."))  # Copies of the heads, and constants.
    }
    load_strictly(net, state, file, "LPIPS network")
    return net.eval()
