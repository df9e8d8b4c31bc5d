"""PatchCraft's network: what high-pass filters leave of poor texture minus what they leave of rich texture.

mever-team/sidbench@b33f51c:models/RPTC.py, a port of the authors' network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.nets.srm import srm


class HighPass(nn.Module):
    """The fixed filters on every colour by itself: [B, 3, H, W] to [B, 90, H, W], colour by colour."""

    def __init__(self) -> None:
        super().__init__()
        self.hpf = nn.Conv2d(1, 30, 5, padding=2, bias=False)
        self.hpf.weight = nn.Parameter(srm(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return what is left of each colour."""
        left: Tensor = self.hpf(x.flatten(0, 1)[:, None])
        return left.unflatten(0, x.shape[:2]).flatten(1, 2)


def _group(width: int, depth: int, pools: bool) -> nn.Sequential:
    """``depth`` times convolution, batch norm and ReLU, then a mean pool that halves the sides."""
    parts: list[nn.Module] = []
    for _ in range(depth):
        parts += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*parts, *([nn.AvgPool2d(3, 2, 1)] if pools else []))


class TextureContrast(nn.Module):
    """Pairs of images [B, 2, 3, S, S] in 0…1, poor texture first, to logits [B, 1]."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.group1 = HighPass()
        self.group1_b = nn.Sequential(nn.Conv2d(90, width, 3, padding=1), nn.BatchNorm2d(width), nn.Hardtanh(-5, 5))
        self.group2 = _group(width, 4, pools=True)
        self.group3 = _group(width, 2, pools=True)
        self.group4 = _group(width, 2, pools=True)
        self.group5 = _group(width, 2, pools=False)
        self.fc2 = nn.Linear(width, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.weight.requires_grad:
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        nn.init.normal_(self.fc2.weight, 0, 0.01)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits. Batch norm sees poor and rich textures one after the other, as in the port."""
        poor, rich = (self.group1_b(self.group1(part)) for part in x.unbind(1))
        out = self.group5(self.group4(self.group3(self.group2(poor - rich))))
        logits: Tensor = self.fc2(torch.mean(out, (2, 3)))
        return logits
