"""ADM's pixel diffusion UNet with the layers and keys of openai/guided-diffusion@22e0df8:guided_diffusion/unet.py.

Diffusion Models Beat GANs on Image Synthesis (arXiv 2105.05233). Residual blocks with scale-shift conditioning also
change the resolution; attention has heads of fixed width.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.nets.loading import load_strictly, read_tensors


@dataclass(frozen=True)
class Shape:
    """A UNet's shape; the defaults are those of ``256x256_diffusion_uncond.pt``.

    ``attention`` lists the downsampling factors of the levels with attention, ``classes`` 0 means unconditional, and
    ``groups`` is the number of groups of all group norms. The network has twice as many output channels (``outside``)
    as image channels (``inside``): the noise, and the interpolated variance.
    """

    width: int = 256
    multiples: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    blocks: int = 2
    attention: tuple[int, ...] = (8, 16, 32)
    head_width: int = 64
    inside: int = 3
    outside: int = 6
    classes: int = 0
    groups: int = 32


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """Cosines, then sines of ``t`` [B] at ``width`` / 2 frequencies from 1 down to 1e-4: [B, width], width even."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = t[:, None].float() * torch.exp(-math.log(10000) * steps / half)
    return torch.cat([angles.cos(), angles.sin()], 1)


class ResBlock(nn.Module):
    """A residual block conditioned on the embedding; ``resize`` 2 doubles the resolution, 0.5 halves it, 1 keeps it."""

    def __init__(self, shape: Shape, inside: int, outside: int, resize: float = 1) -> None:
        super().__init__()
        self.resize = resize
        conv = nn.Conv2d(inside, outside, 3, 1, 1)
        self.in_layers = nn.Sequential(nn.GroupNorm(shape.groups, inside), nn.SiLU(), conv)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(4 * shape.width, 2 * outside))
        last = _zero(nn.Conv2d(outside, outside, 3, 1, 1))
        self.out_layers = nn.Sequential(nn.GroupNorm(shape.groups, outside), nn.SiLU(), nn.Identity(), last)
        self.skip_connection = nn.Identity() if inside == outside else nn.Conv2d(inside, outside, 1)

    def _resized(self, x: Tensor) -> Tensor:
        if self.resize == 2:
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return F.avg_pool2d(x, 2) if self.resize == 0.5 else x

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, outside, H', W']."""
        h = self.in_layers[2](self._resized(self.in_layers[1](self.in_layers[0](x))))
        scale, shift = self.emb_layers(embedding)[..., None, None].chunk(2, 1)
        h = self.out_layers[0](h) * (1 + scale) + shift
        for layer in self.out_layers[1:]:
            h = layer(h)
        out: Tensor = self.skip_connection(self._resized(x)) + h
        return out


class Attention(nn.Module):
    """Self-attention over all positions; each head's query, key and value are adjacent in ``qkv``."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.heads = width // shape.head_width
        self.norm = nn.GroupNorm(shape.groups, width)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.proj_out = _zero(nn.Conv1d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], same shape out."""
        batch, width, *sides = x.shape
        flat = x.reshape(batch, width, -1)
        qkv = self.qkv(self.norm(flat)).reshape(batch, self.heads, 3 * width // self.heads, -1)
        query, key, value = (tensor.transpose(2, 3) for tensor in qkv.chunk(3, 2))
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(2, 3).reshape(batch, width, -1)
        return (flat + self.proj_out(mixed)).reshape(batch, width, *sides)


def _zero(module: nn.Conv1d | nn.Conv2d) -> nn.Module:
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


class _Stage(nn.ModuleList):
    """A sequence of layers, in which the residual blocks also take the embedding."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Pass x [B, C, H, W] through all layers."""
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, ResBlock) else layer(x)
        return x


class ADM(nn.Module):
    """Noisy images [B, 3, H, W] in −1…1, timesteps [B] and, if conditional, classes [B] to [B, 6, H, W]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.time_embed = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width))
        if shape.classes:
            self.label_emb: nn.Module = nn.Embedding(shape.classes, 4 * width)
        skips, channels = self._build_inputs()
        middle = (ResBlock(shape, channels, channels), Attention(shape, channels), ResBlock(shape, channels, channels))
        self.middle_block = _Stage(middle)
        channels = self._build_outputs(skips, channels)
        last = _zero(nn.Conv2d(channels, shape.outside, 3, 1, 1))
        self.out = nn.Sequential(nn.GroupNorm(shape.groups, channels), nn.SiLU(), last)

    def _build_inputs(self) -> tuple[list[int], int]:
        shape = self.shape
        channels = shape.multiples[0] * shape.width
        stages, skips = [_Stage([nn.Conv2d(shape.inside, channels, 3, 1, 1)])], [channels]
        for level, multiple in enumerate(shape.multiples):
            for _ in range(shape.blocks):
                layers: list[nn.Module] = [ResBlock(shape, channels, multiple * shape.width)]
                channels = multiple * shape.width
                if 2**level in shape.attention:
                    layers.append(Attention(shape, channels))
                stages.append(_Stage(layers))
                skips.append(channels)
            if level < len(shape.multiples) - 1:
                stages.append(_Stage([ResBlock(shape, channels, channels, 0.5)]))
                skips.append(channels)
        self.input_blocks = nn.ModuleList(stages)
        return skips, channels

    def _build_outputs(self, skips: list[int], channels: int) -> int:
        shape, stages = self.shape, []
        for level, multiple in reversed(list(enumerate(shape.multiples))):
            for index in range(shape.blocks + 1):
                layers: list[nn.Module] = [ResBlock(shape, channels + skips.pop(), multiple * shape.width)]
                channels = multiple * shape.width
                if 2**level in shape.attention:
                    layers.append(Attention(shape, channels))
                if level and index == shape.blocks:
                    layers.append(ResBlock(shape, channels, channels, 2))
                stages.append(_Stage(layers))
        self.output_blocks = nn.ModuleList(stages)
        return channels

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """The predicted noise in the first half of the channels, the variance in the second."""
        embedding = self.time_embed(timestep_embedding(t, self.shape.width))
        if y is not None:
            embedding = embedding + self.label_emb(y)
        skips = []
        for stage in self.input_blocks:
            x = stage(x, embedding)
            skips.append(x)
        x = self.middle_block(x, embedding)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, skips.pop()], 1), embedding)
        out: Tensor = self.out(x)
        return out


def load_adm(folder: Path) -> ADM:
    """Load the network from a folder with its weights and ``config.json`` (if absent: the 256 px model).

    The weights are ``model.safetensors``, or the published ``256x256_diffusion_uncond.pt`` read with ``weights_only``.
    Raises UserError unless every key and shape matches.
    """
    config, converted = folder / "config.json", folder / "model.safetensors"
    values = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
    shape: Any = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    network = ADM(Shape(**shape))
    published = folder / "256x256_diffusion_uncond.pt"
    file = converted if converted.exists() else published
    load_strictly(network, read_tensors(file), file, "guided-diffusion network")
    return network.eval()
