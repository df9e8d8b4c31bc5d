"""CLIP's image tower with a few trained numbers in its attention: Effort's singular residuals, C2P-CLIP's LoRA.

The whole tower is part of the network and of its checkpoints, unlike the frozen encoders of
:mod:`methods._shared.clip`. YZY-stack/Effort-AIGI-Detection@96f5dea, both code bases;
chuangchuangtan/C2P-CLIP-DeepfakeDetection@27b5232:inference.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from bench.errors import UserError
from bench.nets.clip import load_half

#: The image half of OpenAI's ViT-L/14, for checkpoints that contain all its weights.
VIT_L14 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
    "projection_dim": 768,
}


def image_half(folder: Path | None) -> Any:  # noqa: ANN401 - transformers ships no types
    """CLIP's image half with fixed weights, from a folder in the Hub's format or, if None, at random as ViT-L/14."""
    if folder is None:
        half: Any = CLIPVisionModelWithProjection(CLIPVisionConfig(**VIT_L14))
    else:
        half = load_half(CLIPVisionModelWithProjection, folder)
    return half.requires_grad_(False)


def replace(blocks: Iterable[nn.Module], names: Sequence[str], made: Callable[[nn.Linear], nn.Module]) -> None:
    """Replace linear layers of the attention of blocks; ``names`` are among q_proj, k_proj, v_proj and out_proj."""
    for block in blocks:
        attention = block.get_submodule("self_attn")
        for name in names:
            setattr(attention, name, made(getattr(attention, name)))


class SingularResidual(nn.Module):
    """A linear layer that trains its ``rank`` smallest singular values and their vectors; the rest is fixed.

    The weight is ``weight_main`` + U diag(S) V. With ``decompose`` False the residual is zero, for weights to be loaded
    later.
    """

    def __init__(self, layer: nn.Linear, rank: int, decompose: bool) -> None:
        super().__init__()
        weight = layer.weight.detach()
        if not 1 <= rank <= min(weight.shape):
            raise UserError(
                f"rank is {rank}.",
                f"The weights of this CLIP have {min(weight.shape)} singular values.",
                f"Train 1 to {min(weight.shape)} of them; the authors train 1.",
            )
        kept, (high, wide) = len(weight) - rank, weight.shape
        main, u, s, v = weight, weight.new_zeros(high, rank), weight.new_zeros(rank), weight.new_zeros(rank, wide)
        if decompose:
            left, values, right = torch.linalg.svd(weight, full_matrices=False)
            main = left[:, :kept] @ torch.diag(values[:kept]) @ right[:kept]
            u, s, v = left[:, kept:].clone(), values[kept:].clone(), right[kept:].clone()
        self.weight_main = nn.Parameter(main.clone(), requires_grad=False)
        self.bias = nn.Parameter(layer.bias.detach().clone(), requires_grad=False)
        self.S_residual, self.U_residual, self.V_residual = nn.Parameter(s), nn.Parameter(u), nn.Parameter(v)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        residual = (self.U_residual * self.S_residual) @ self.V_residual
        return linear(x, self.weight_main + residual, self.bias)


class Effort(nn.Module):
    """Images [B, 3, S, S] to logits [B, classes]: a linear layer on the class token of a tower with residuals."""

    def __init__(self, folder: Path | None, classes: int, rank: int) -> None:
        super().__init__()
        self.backbone = image_half(folder).vision_model
        linears = ("k_proj", "v_proj", "q_proj", "out_proj")
        replace(self.backbone.encoder.layers, linears, lambda layer: SingularResidual(layer, rank, folder is not None))
        self.head = nn.Linear(self.backbone.config.hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.head(self.backbone(pixel_values=x).pooler_output)
        return logits


#: What training code saves beside the network: CLIP's text half and projection, and factors for a loss that is off.
_BESIDE = ("model.text_model.", "model.text_projection.", "model.visual_projection.", "model.logit_scale")
_UNUSED = (".S_r", ".U_r", ".V_r", "embeddings.position_ids")


def effort_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of either code base of Effort under the names of :class:`Effort`, without what is not used."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith(_BESIDE) or name.endswith(_UNUSED):
            continue
        for old, new in (("model.vision_model.", "backbone."), ("fc.", "head.")):
            name = f"{new}{name.removeprefix(old)}" if name.startswith(old) else name
        found[name] = tensor
    return found


class LowRank(nn.Module):
    """A linear layer with a fixed weight and LoRA's trained product of two thin matrices (Hu et al., ICLR 2022)."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().clone(), requires_grad=False)
        self.bias = nn.Parameter(layer.bias.detach().clone(), requires_grad=False)
        self.lora_A = nn.Parameter(torch.empty(rank, layer.in_features))
        self.lora_B = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        return linear(x, self.weight + self.lora_B @ self.lora_A, self.bias)


#: The weights of a block's attention that C2P-CLIP trains.
_ADAPTED = ("q_proj", "k_proj", "v_proj")


class C2PClip(nn.Module):
    """Images [B, 3, S, S] to logits [B, 1]: a linear layer on CLIP's embedding, scaled to length one."""

    def __init__(self, folder: Path | None, rank: int) -> None:
        super().__init__()
        self.model = image_half(folder)
        replace(self.model.vision_model.encoder.layers, _ADAPTED, lambda layer: LowRank(layer, rank))
        self.model.fc = nn.Linear(self.model.config.projection_dim, 1)
        nn.init.normal_(self.model.fc.weight, 0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        embeds = self.model(pixel_values=x).image_embeds
        logits: Tensor = self.model.fc(embeds / embeds.norm(dim=-1, keepdim=True))
        return logits


def c2p_clip_state(state: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """A checkpoint under the names of :class:`C2PClip`; a released one, whose LoRA is merged, gets a LoRA of zeros."""
    found = {name: t for name, t in state.items() if not name.endswith("embeddings.position_ids")}
    for name, weight in list(found.items()):
        home = name.removesuffix(".weight")
        if name.endswith(tuple(f"self_attn.{part}.weight" for part in _ADAPTED)) and f"{home}.lora_A" not in found:
            high, wide = weight.shape
            found |= {f"{home}.lora_A": weight.new_zeros(rank, wide), f"{home}.lora_B": weight.new_zeros(high, rank)}
    return found
