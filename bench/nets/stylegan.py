"""StyleGAN's discriminator with the keys of genforce's port, as LGrad uses it.

chuangchuangtan/LGrad@7cb5973:img2gad_pytorch/models/stylegan_discriminator.py. A convolution of the blurred input and
an average pool replace the port's fused strided convolution; the result is the same.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.loading import load_strictly, read_tensors

_EPSILON = 1e-8


@dataclass(frozen=True)
class Shape:
    """The discriminator's shape; the defaults are those of the 256 px model.

    ``resolution`` is the image's side in pixels. A feature map has ``base`` / side channels, but at most ``most``.
    """

    resolution: int = 256
    base: int = 16 << 10
    most: int = 512

    def channels(self, side: int) -> int:
        """The number of channels of a feature map with this side."""
        return min(self.base // side, self.most)


class _Blur(nn.Module):
    """A blur with the kernel 1 2 1 in both directions, which is a buffer in the published state."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.kernel: Tensor
        self.register_buffer("kernel", (row[:, None] * row).expand(channels, 1, 3, 3).clone())

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], same shape out."""
        return F.conv2d(x, self.kernel, padding=1, groups=len(self.kernel))


class _Conv(nn.Module):
    """A convolution with equalised learning rate and a leaky ReLU; ``halve`` adds a blur before and a pool after it."""

    def __init__(self, inside: int, outside: int, kernel: int = 3, halve: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outside))
        self.scale, self.halve = math.sqrt(2 / (inside * kernel**2)), halve
        if halve:
            self.blur = _Blur(inside)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, outside, H', W']."""
        x = self.blur(x) if self.halve else x
        x = F.conv2d(x, self.weight * self.scale, self.bias, padding=self.weight.shape[-1] // 2)
        return F.leaky_relu(F.avg_pool2d(x, 2) if self.halve else x, 0.2)


class _Dense(nn.Module):
    """A dense layer with equalised learning rate."""

    def __init__(self, inside: int, outside: int, gain: float) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(outside, inside)), nn.Parameter(torch.zeros(outside))
        self.scale = gain / math.sqrt(inside)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside] to [B, outside]."""
        return F.linear(x, self.weight * self.scale, self.bias)


class Discriminator(nn.Module):
    """Images [B, 3, S, S] in −1…1 to logits [B, 1].

    Each image is processed independently, because LGrad uses batches of one. If ``company`` is True, the standard
    deviation within the batch is an input of the last layers, as in adversarial training.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.lod: Tensor
        self.register_buffer("lod", torch.zeros(()))
        self.levels = int(math.log2(shape.resolution)) - 2
        for level in range(self.levels + 1):
            side = shape.resolution >> level
            width, narrow = shape.channels(side), shape.channels(side // 2)
            self.add_module(f"input{level}", _Conv(3, width, 1))
            if level < self.levels:
                self.add_module(f"layer{2 * level}", _Conv(width, width))
                self.add_module(f"layer{2 * level + 1}", _Conv(width, narrow, halve=True))
        last = shape.channels(4)
        self.add_module(f"layer{2 * self.levels}", _Conv(last + 1, last))
        self.add_module(f"layer{2 * self.levels + 1}", _Dense(16 * last, shape.channels(2), math.sqrt(2)))
        self.add_module(f"layer{2 * self.levels + 2}", _Dense(shape.channels(2), 1, 1.0))

    def forward(self, x: Tensor, company: bool = False) -> Tensor:
        """Logits [B, 1]; the input layers of coarser levels are part of the published state, but are not used."""
        x = self.get_submodule("input0")(x)
        for number in range(2 * self.levels):
            x = self.get_submodule(f"layer{number}")(x)
        variance = x.var(0, unbiased=False) if company else torch.zeros_like(x[0])
        spread = (variance + _EPSILON).sqrt().mean().expand(len(x), 1, 4, 4)
        x = self.get_submodule(f"layer{2 * self.levels}")(torch.cat([x, spread], 1))
        x = F.leaky_relu(self.get_submodule(f"layer{2 * self.levels + 1}")(x.flatten(1)), 0.2)
        logits: Tensor = self.get_submodule(f"layer{2 * self.levels + 2}")(x)
        return logits


def gradients(net: Discriminator, x: Tensor) -> Tensor:
    """The gradient of each image's logit with respect to its pixels: [B, 3, S, S], same shape out."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(net(x).sum(), x)
    return gradient


def load_discriminator(folder: Path) -> Discriminator:
    """Load the network from ``config.json`` (if absent: the published shape) and ``model.safetensors`` in a folder."""
    config = folder / "config.json"
    network = Discriminator(Shape(**json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}))
    file = folder / "model.safetensors"
    load_strictly(network, read_tensors(file), file, "StyleGAN discriminator")
    return network.eval()
