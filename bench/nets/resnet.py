"""ResNets with torchvision's keys, and smaller ones of the same architecture for the miniature models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from bench.nets.loading import load_strictly, read_tensors

Norm = Literal["batch", "instance"]
#: Instance norms have no weights and no running statistics.
_NORMS: dict[Norm, type[nn.Module]] = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}


@dataclass(frozen=True)
class Shape:
    """A ResNet's shape; the defaults are those of ResNet-50.

    ``strides`` are those of conv1, maxpool and layer1…layer4; a maxpool stride of 1 omits the pool. Smaller strides
    keep the original grids (14 × 14 at layer3, 7 × 7 at layer4) for smaller images. ``inside`` is the number of input
    channels. ``norm`` is the kind of all normalisation layers.
    """

    bottleneck: bool = True
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    strides: tuple[int, ...] = (2, 2, 1, 2, 2, 2)
    inside: int = 3
    norm: Norm = "batch"


RESNET50 = Shape()
RESNET18 = Shape(bottleneck=False, depths=(2, 2, 2, 2))


def _conv(inside: int, outside: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)


class Block(nn.Module):
    """A basic or bottleneck block: torchvision's ``BasicBlock`` or ``Bottleneck`` (stride in the 3 × 3 convolution)."""

    def __init__(self, inside: int, width: int, stride: int, bottleneck: bool, norm: Norm = "batch") -> None:
        super().__init__()
        outside = width * 4 if bottleneck else width
        if bottleneck:
            convs = [_conv(inside, width, 1), _conv(width, width, 3, stride), _conv(width, outside, 1)]
        else:
            convs = [_conv(inside, width, 3, stride), _conv(width, width, 3)]
        self.depth = len(convs)
        for number, conv in enumerate(convs, 1):
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", _NORMS[norm](conv.out_channels))
        if stride != 1 or inside != outside:
            self.downsample: nn.Sequential | None = nn.Sequential(
                _conv(inside, outside, 1, stride), _NORMS[norm](outside)
            )
        else:
            self.downsample = None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, width or 4 · width, H / stride, W / stride]."""
        out = x
        for number in range(1, self.depth + 1):
            out = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(out))
            if number < self.depth:
                out = torch.relu(out)
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A ResNet with torchvision's module names; with ``classes`` 0 it has no head and returns pooled features."""

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(shape.inside, shape.width, 7, shape.strides[0], 3, bias=False)
        self.bn1 = _NORMS[shape.norm](shape.width)
        pool = shape.strides[1]
        self.maxpool: nn.Module = nn.MaxPool2d(3, pool, 1) if pool > 1 else nn.Identity()
        inside = shape.width
        for number, (depth, stride) in enumerate(zip(shape.depths, shape.strides[2:], strict=True)):
            width = shape.width * 2**number
            blocks = []
            for index in range(depth):
                blocks.append(Block(inside, width, stride if index == 0 else 1, shape.bottleneck, shape.norm))
                inside = width * 4 if shape.bottleneck else width
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.features = inside
        if classes:
            self.fc = nn.Linear(inside, classes)
        self.apply(_init)

    def taps(self, x: Tensor) -> dict[str, Tensor]:
        """Feature maps after ``conv1`` (with norm and ReLU), ``maxpool`` and each layer, for images [B, 3, H, W]."""
        maps = {"conv1": torch.relu(self.bn1(self.conv1(x)))}
        maps["maxpool"] = out = self.maxpool(maps["conv1"])
        for number in range(1, 5):
            maps[f"layer{number}"] = out = self.get_submodule(f"layer{number}")(out)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, H, W] to logits [B, classes], or to features [B, C] without a head."""
        pooled = self.taps(x)["layer4"].mean((2, 3))
        logits: Tensor = self.fc(pooled) if hasattr(self, "fc") else pooled
        return logits


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


_BATCH_NORM = re.compile(r"(^|\.)(bn\d|downsample\.1)\.")
_TRUNK = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")


def load_imagenet(model: ResNet, folder: Path, share: float | None = None) -> None:
    """Load the trunk from a folder's ``model.safetensors`` with torchvision's keys; its ``fc`` is ignored.

    A model whose input does not have 3 channels keeps its own first convolution; with ``share``, one for a multiple of
    3 channels gets the file's, times ``share``, for every three. Batch norms in the file are ignored if the model has
    none. Raises UserError naming the tensors that are missing, unexpected, of the wrong shape or not finite.
    """
    ignored = ("fc.",) if model.conv1.in_channels == 3 or share is not None else ("fc.", "conv1.")
    file = folder / "model.safetensors"
    trunk = {name: tensor for name, tensor in read_tensors(file).items() if not name.startswith(ignored)}
    if "bn1.weight" not in model.state_dict():
        trunk = {name: t for name, t in trunk.items() if not _BATCH_NORM.search(name)}
    if share is not None and "conv1.weight" in trunk:
        trunk["conv1.weight"] = torch.cat([trunk["conv1.weight"] * share] * (model.conv1.in_channels // 3), 1)
    kept = [name for name in model.state_dict() if not name.startswith(_TRUNK) or name.startswith(ignored)]
    load_strictly(model, trunk, file, "ImageNet ResNet", kept)


def mini_strides(stride: int) -> Sequence[int]:
    """Strides with a product of 32 (a standard ResNet's), 16, or 8 (7 × 7 at layer4 for a 56 px image)."""
    return {32: (2, 2, 1, 2, 2, 2), 16: (2, 1, 1, 2, 2, 2), 8: (2, 1, 1, 1, 2, 2)}[stride]
