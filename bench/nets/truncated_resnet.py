"""NPR's classifier: the stem and the first two layers of a ResNet, which look at traces of a few pixels.

chuangchuangtan/NPR-DeepfakeDetection@73cde1c:networks/resnet.py. SAFE and FreqNet took it over.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from bench.nets.resnet import Block
from bench.nets.wavelet import diagonal


@dataclass(frozen=True)
class Shape:
    """Blocks in the two layers and channels of the stem; the defaults are those of ResNet-50."""

    depths: tuple[int, int] = (3, 4)
    width: int = 64


class TruncatedResNet(nn.Module):
    """``conv1`` (3 × 3, stride 2), ``bn1``, max pool, ``layer1``, ``layer2``, mean, ``fc1``: torchvision's other names.

    Maps [B, 3, H, W] to logits [B, classes]; the feature map has an eighth of the sides.
    """

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, shape.width, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(shape.width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = bottlenecks(shape.width, shape.width, shape.depths[0], 1)
        self.layer2 = bottlenecks(4 * shape.width, 2 * shape.width, shape.depths[1], 2)
        self.fc1 = nn.Linear(8 * shape.width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] to logits [B, classes]."""
        x = self.maxpool(relu(self.bn1(self.conv1(x))))
        logits: Tensor = self.fc1(self.layer2(self.layer1(x)).mean((2, 3)))
        return logits


def bottlenecks(inside: int, width: int, depth: int, stride: int) -> nn.Sequential:
    """A layer of a ResNet-50: ``depth`` bottleneck blocks, of which the first has the stride."""
    blocks = [Block(inside, width, stride, bottleneck=True)]
    return nn.Sequential(*blocks, *(Block(4 * width, width, 1, bottleneck=True) for _ in range(depth - 1)))


def neighbouring(x: Tensor) -> Tensor:
    """NPR: each pixel minus the top left one of its 2 × 2 cell. An odd side loses its last row or column.

    [B, 3, H, W] to [B, 3, H − H % 2, W − W % 2].
    """
    x = x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
    return x - interpolate(x[:, :, ::2, ::2], scale_factor=2, mode="nearest")


class NPR(TruncatedResNet):
    """The classifier on two thirds of the neighbouring pixel relationships, a factor that released weights need."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] to logits [B, classes]."""
        return super().forward(neighbouring(x) * 2 / 3)


class OnDiagonal(TruncatedResNet):
    """The classifier on diagonal wavelet details: SAFE (Ouxiang-Li/SAFE@722620a:models/resnet.py)."""

    def forward(self, x: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] in 0…1 to logits [B, classes]."""
        return super().forward(diagonal(x))
