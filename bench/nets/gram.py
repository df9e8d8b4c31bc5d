"""GramNet: a ResNet-18 trunk with Gram-matrix texture branches at six depths.

Layers and keys: liuzhengzhe/Global_Texture_Enhancement_for_Fake_Face_Detection_in_the-Wild@a416145:
stylegan-ffhq/resnet18_gram.py (CVPR 2020, arXiv 2002.00133, section 4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.nets.resnet import ResNet, Shape

TEXTURES = 32
# Branch → the feature map of the trunk that it reads. The official names of branch 1's head are irregular.
_TAPS = {"i": "image", "0": "conv1", "1": "maxpool", "2": "layer1", "3": "layer2", "4": "layer3"}
_HEADS = {"i": ("gi_fc1", "gi_fc2"), "1": ("g_fc1r", "g_fc2r")}


def gram_matrix(features: Tensor) -> Tensor:
    """Inner products of all pairs of channels, divided by C · H · W: [B, C, H, W] to [B, C, C]."""
    batch, channels, height, width = features.shape
    flat = features.reshape(batch, channels, height * width)
    return torch.bmm(flat, flat.transpose(1, 2)) / (channels * height * width)


def _unit(inside: int, outside: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU())


class Scale(nn.Module):
    """One learned factor that all branches share."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """``x`` times the factor."""
        return x * self.scale


class GramNet(ResNet):
    """Images [B, 3, H, W] to two logits [B, 2] (real, fake), for any size of at least 32 pixels."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, classes=0)
        width = shape.width
        channels = {"i": 3, "0": width, "1": width, "2": width, "3": 2 * width, "4": 4 * width}
        for branch, inside in channels.items():
            name = "conv_interi_0" if branch == "i" else f"conv_inter{branch}_0"
            self.add_module(name, _unit(inside, TEXTURES, 1))
            first, second = self._head(branch)
            self.add_module(first, _unit(1, 16, 2))
            self.add_module(second, _unit(16, TEXTURES, 2))
        self.scale = Scale()
        total = self.features + len(channels) * TEXTURES
        self.fcnewr = nn.Sequential(nn.Linear(total, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 2))

    @staticmethod
    def _head(branch: str) -> tuple[str, str]:
        return _HEADS.get(branch, (f"g{branch}_fc1", f"g{branch}_fc2"))

    def _texture(self, branch: str, features: Tensor) -> Tensor:
        name = "conv_interi_0" if branch == "i" else f"conv_inter{branch}_0"
        gram = gram_matrix(self.get_submodule(name)(features))[:, None]
        first, second = self._head(branch)
        pooled = self.get_submodule(second)(self.get_submodule(first)(gram)).mean((2, 3))
        scaled: Tensor = self.scale(pooled)
        return scaled

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 2]."""
        maps = {"image": x, **self.taps(x)}
        textures = [self._texture(branch, maps[tap]) for branch, tap in _TAPS.items()]
        logits: Tensor = self.fcnewr(torch.cat([maps["layer4"].mean((2, 3)), *textures], 1))
        return logits
