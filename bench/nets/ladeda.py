"""LaDeDa and Tiny-LaDeDa: ResNets whose every output sees a patch of 9 or 7 pixels, after BagNets.

barcavia/RealTime-DeepfakeDetection-in-the-RealWorld@e734562:networks/LaDeDa.py and Tiny_LaDeDa.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, relu

from bench.nets.truncated_resnet import neighbouring

#: Sobel's gradient along the second diagonal, of which Tiny-LaDeDa sees the image.
SOBEL = ((-2.0, -1.0, 0.0), (-1.0, 0.0, 1.0), (0.0, 1.0, 2.0))


def gradient(x: Tensor) -> Tensor:
    """Sobel's gradient of [B, 3, H, W] along the second diagonal, with zeros around the image."""
    kernel = torch.tensor(SOBEL, dtype=x.dtype, device=x.device).expand(3, 1, 3, 3)
    return conv2d(x, kernel, groups=3, padding="same")


#: What a network sees of the image: the relationships of neighbouring pixels, two thirds of them, or a gradient.
Input = Literal["npr", "two_thirds", "gradient"]
_INPUTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "npr": neighbouring,
    "two_thirds": lambda x: neighbouring(x) * 2 / 3,
    "gradient": gradient,
}


@dataclass(frozen=True)
class Shape:
    """Blocks and strides of the layers, channels of the stem, and how many blocks of a layer have a 3 × 3 kernel."""

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    strides: tuple[int, ...] = (2, 2, 2, 1)
    wide: tuple[int, ...] = (1, 1, 0, 0)


class _Block(nn.Module):
    """A bottleneck block without padding; the shortcut loses its last rows and columns."""

    def __init__(self, inside: int, width: int, stride: int, kernel: int) -> None:
        super().__init__()
        outside = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, kernel, stride, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outside, 1, bias=False), nn.BatchNorm2d(outside)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, 4 · width, h, w]."""
        out = relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))
        out = self.bn3(self.conv3(out))
        short = x if self.downsample is None else self.downsample(x)
        return relu(out + short[:, :, : out.shape[2], : out.shape[3]])


def _initialise(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            count = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, 0, math.sqrt(2 / count))
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.02)


class LaDeDa(nn.Module):
    """What ``sees`` leaves of an image to the mean logit of overlapping patches of 9 pixels."""

    def __init__(self, shape: Shape, sees: Input = "npr") -> None:
        super().__init__()
        self.sees = sees
        self.conv1 = nn.Conv2d(3, shape.width, 1, bias=False)
        self.conv2 = nn.Conv2d(shape.width, shape.width, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(shape.width, momentum=0.001)
        inside = shape.width
        for number, (depth, stride, wide) in enumerate(zip(shape.depths, shape.strides, shape.wide, strict=True)):
            width, blocks = shape.width * 2**number, list[nn.Module]()
            for place in range(depth):
                blocks.append(_Block(inside, width, stride if place == 0 else 1, 3 if place < wide else 1))
                inside = 4 * width
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.layers = len(shape.depths)
        self.fc = nn.Linear(inside, 1)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, H, W] to logits [B, 1]."""
        x = relu(self.bn1(self.conv2(self.conv1(_INPUTS[self.sees](x)))))
        for number in range(1, self.layers + 1):
            x = self.get_submodule(f"layer{number}")(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class _Pair(nn.Module):
    """Two convolutions without padding, the second with stride 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 2, bias=False), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] to [B, width, h, w]."""
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))


class TinyLaDeDa(nn.Module):
    """What ``sees`` leaves of an image to the mean logit of small patches, by four convolutions."""

    def __init__(self, sees: Input = "gradient", width: int = 8) -> None:
        super().__init__()
        self.sees = sees
        self.conv1 = nn.Conv2d(3, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width, momentum=0.001)
        self.layer1 = nn.Sequential(_Pair(width))
        self.fc = nn.Linear(width, 1)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, H, W] to logits [B, 1]."""
        x = self.layer1(relu(self.bn1(self.conv2(self.conv1(_INPUTS[self.sees](x))))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits
