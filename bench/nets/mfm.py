"""MFM's vision transformer, with BEiT's attention, as SPAI uses it: what its patch tokens are after every block.

Jiahao000/MFM@c9194b1:models/vision_transformer.py; the keys are those of its file below ``encoder.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

from bench.nets.loading import load_strictly, read_tensors

_EPS = 1e-6
_MLP = 4
#: Files that hold the weights: MFM's own, and what ``--weights mfm_vit_b16=FILE`` is converted to.
FILES = ("mfm_pretrain_vit_base.pth", "model.safetensors")
#: The parts of MFM's file that come after the last block.
_BESIDE = ("norm.", "fc_norm.", "decoder.")


class Attention(nn.Module):
    """Self-attention whose queries and values have a bias, and whose keys have none."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width], same shape out."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        q, k, v = linear(x, self.qkv.weight, bias).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y: Tensor = self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return y


class Mlp(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, _MLP * width), nn.Linear(_MLP * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width], same shape out."""
        y: Tensor = self.fc2(gelu(self.fc1(x)))
        return y


class Block(nn.Module):
    """A block that normalises before attention and layers; ``drop`` is the chance that a branch is left out."""

    def __init__(self, width: int, heads: int, drop: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=_EPS), nn.LayerNorm(width, eps=_EPS)
        self.attn, self.mlp, self.drop = Attention(width, heads), Mlp(width), DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width], same shape out."""
        x = x + self.drop(self.attn(self.norm1(x)))
        y: Tensor = x + self.drop(self.mlp(self.norm2(x)))
        return y


class MFM(nn.Module):
    """Normalised images [B, 3, side, side] to tokens [B, depth, patches, width], without class token and last norm.

    The chance of leaving out a branch rises over the blocks from 0 to ``drop``, in training alone.
    """

    def __init__(
        self,
        side: int = 224,
        patch: int = 16,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        drop: float = 0.1,
    ) -> None:
        super().__init__()
        self.depth, self.hidden = depth, width
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + 1, width))
        chances = [drop * number / max(1, depth - 1) for number in range(depth)]
        self.blocks = nn.ModuleList(Block(width, heads, chance) for chance in chances)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens."""
        patches = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], 1) + self.pos_embed
        after: list[Tensor] = []
        for block in self.blocks:
            x = block(x)
            after.append(x[:, 1:])
        return torch.stack(after, 1)


def load_mfm(network: MFM, folder: Path) -> None:
    """Load MFM's pretrained encoder. Raises UserError unless every tensor of the blocks and before them matches."""
    file = next((path for name in FILES if (path := folder / name).exists()), folder / FILES[0])
    content: Mapping[str, Any] = read_tensors(file)
    state = {name.removeprefix("encoder."): t for name, t in content.get("model", content).items()}
    state = {name: t for name, t in state.items() if not name.startswith(_BESIDE)}
    load_strictly(network, state, file, "encoder of MFM's ViT-B/16")
