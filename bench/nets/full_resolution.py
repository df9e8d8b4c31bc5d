"""ResNet-50 without downsampling in its stem, the network of GRIP-UNINA's detectors and of AlignedForensics.

AniSundar18/AlignedForensics@e4cc011:test_code/networks/resnet_mod.py (``res50nodown``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from bench.nets.resnet import ResNet, Shape


class FullResolution(ResNet):
    """Images [B, 3, H, W] of any size to logits [B, 1]; torchvision's module names.

    The first convolution and the pooling have stride 1, so the last feature map has an eighth of the image's sides.
    ``rate`` is the dropout of the pooled features in training.
    """

    def __init__(self, depths: tuple[int, ...], width: int, rate: float) -> None:
        super().__init__(Shape(True, depths, width, (1, 1, 1, 2, 2, 2)), classes=1)
        self.maxpool = nn.MaxPool2d(3, 1, 1)  # With stride 1 a ResNet of ours omits it.
        self.rate = rate
        nn.init.normal_(self.fc.weight, 0.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits. No feature map is kept longer than needed: they have the image's size."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        logits: Tensor = self.fc(dropout(x.mean((2, 3)), self.rate, self.training))
        return logits
