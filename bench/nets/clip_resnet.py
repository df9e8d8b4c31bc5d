"""CLIP's ResNets, with the keys of openai/CLIP:clip/model.py that start with ``visual.``.

They have three stem convolutions, average pooling instead of strides, and attention pooling at the end.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.clip import openai_file, openai_state
from bench.nets.loading import load_strictly


@dataclass(frozen=True)
class Shape:
    """A tower's shape; the defaults are those of RN50.

    ``strides`` are those of conv1, the stem's pool and layer1…layer4; smaller ones keep the original grids (14 × 14 at
    layer3, 7 × 7 at layer4) for smaller images.
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    heads: int = 32
    side: int = 224
    output: int = 1024
    strides: tuple[int, ...] = (2, 2, 1, 2, 2, 2)


#: CLIP RN50x4.
RN50X4 = Shape((4, 6, 10, 6), 80, 40, 288, 640)


class Block(nn.Module):
    """A bottleneck block whose stride is an average pool before the last convolution."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        outside = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outside, 1, bias=False), nn.BatchNorm2d(outside)
        self.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inside != outside:
            conv = nn.Conv2d(inside, outside, 1, bias=False)
            self.downsample = nn.Sequential(
                OrderedDict([("-1", nn.AvgPool2d(stride)), ("0", conv), ("1", nn.BatchNorm2d(outside))])
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, 4 · width, H / stride, W / stride]."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn3(self.conv3(self.pool(torch.relu(self.bn2(self.conv2(out))))))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class AttentionPool(nn.Module):
    """Attention pooling in which the mean token is the query over itself and all positions."""

    def __init__(self, cells: int, width: int, heads: int, output: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(cells + 1, width) / width**0.5)
        self.k_proj, self.q_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj, self.heads = nn.Linear(width, output), heads

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, output]."""
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + self.positional_embedding
        q, k, v = (
            projected.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for projected in (self.q_proj(tokens[:, :1]), self.k_proj(tokens), self.v_proj(tokens))
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        pooled: Tensor = self.c_proj(mixed)[:, 0]
        return pooled


class ClipResNet(nn.Module):
    """Images [B, 3, S, S] to embeddings [B, output], projected, not normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, half, strides = shape, shape.width // 2, shape.strides
        pairs = ((3, half), (half, half), (half, shape.width))
        for number, (a, b) in enumerate(pairs, 1):
            stride = strides[0] if number == 1 else 1
            self.add_module(f"conv{number}", nn.Conv2d(a, b, 3, stride, 1, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm2d(b))
        self.pool = nn.AvgPool2d(strides[1]) if strides[1] > 1 else nn.Identity()
        inside = shape.width
        for number, (depth, stride) in enumerate(zip(shape.depths, strides[2:], strict=True)):
            width = shape.width * 2**number
            blocks = [Block(inside, width, stride), *(Block(4 * width, width, 1) for _ in range(depth - 1))]
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
            inside = 4 * width
        total = 1
        for stride in strides:
            total *= stride
        self.attnpool = AttentionPool((shape.side // total) ** 2, inside, shape.heads, shape.output)

    def taps(self, x: Tensor) -> dict[str, Tensor]:
        """Feature maps after each layer (``layer1`` … ``layer4``), and the embedding (``pooled``)."""
        for number in (1, 2, 3):
            x = torch.relu(self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(x)))
        maps, x = {}, self.pool(x)
        for number in range(1, 5):
            maps[f"layer{number}"] = x = self.get_submodule(f"layer{number}")(x)
        return maps | {"pooled": self.attnpool(x)}

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings [B, output]."""
        return self.taps(x)["pooled"]


def load_clip_resnet(folder: Path, default: Shape | None = None) -> ClipResNet:
    """Load the image tower of a CLIP in open_clip's layout: the keys of its file that start with ``visual.``.

    The :class:`Shape` is that in ``shape.json`` if it exists, else ``default``, else RN50. The text half is ignored.
    Raises UserError unless every key and shape of the tower matches.
    """
    config = folder / "shape.json"
    shape = default or Shape()
    if config.exists():
        values = json.loads(config.read_text(encoding="utf-8"))
        known = {name: v for name, v in values.items() if name in Shape.__dataclass_fields__}
        fields: Any = {name: tuple(v) if isinstance(v, list) else v for name, v in known.items()}
        shape = Shape(**fields)
    tower, prefix = ClipResNet(shape), "visual."
    clip = openai_state(folder)
    state = {name.removeprefix(prefix): t for name, t in clip.items() if name.startswith(prefix)}
    load_strictly(tower, state, openai_file(folder), "image half of a CLIP ResNet")
    return tower
