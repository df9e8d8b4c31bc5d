"""Low-rank updates (LoRA) of the linear layers of a frozen vision transformer, and one logit.

roy-ch/Dual-Data-Alignment@21f1e39:Training/models/lora.py and dinov2_models_lora.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import linear

from bench.nets import vit
from bench.nets.frozen import BesideFrozen
from bench.nets.loading import differences, some

#: The layers of every block that are updated.
LAYERS = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
#: Where the official network keeps its backbone and its last layer.
_BACKBONE, _HEAD = "base_model.model.", "base_model.fc."
_UPDATE = re.compile(r"blocks\.(\d+)\.(\w+)\.(\w+)\.lora\.(lora_[AB])")


class Update(nn.Module):
    """What is added to a linear layer's output: α / rank · B A x, where B is zero at the beginning."""

    def __init__(self, inside: int, outside: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.factor = alpha / rank
        self.lora_A = nn.Parameter(torch.empty(rank, inside))
        self.lora_B = nn.Parameter(torch.zeros(outside, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """[…, inside] to […, outside]."""
        return linear(linear(x, self.lora_A), self.lora_B) * self.factor


class Adapted(BesideFrozen):
    """Images [B, 3, S, S] to (logits [B, 1], class tokens [B, width]).

    The backbone moves between devices with the module, but is neither trained nor saved.
    """

    def __init__(self, backbone: VisionTransformer, rank: int, alpha: float) -> None:
        super().__init__(backbone.requires_grad_(False))
        self.blocks = nn.ModuleList()
        for block in backbone.blocks:
            updates = nn.ModuleDict()
            for name in LAYERS:
                layer = block.get_submodule(name)
                if not isinstance(layer, nn.Linear):
                    raise TypeError(f"{name} is not a linear layer.")
                updates[name.replace(".", "_")] = update = Update(layer.in_features, layer.out_features, rank, alpha)
                layer.register_forward_hook(lambda _, inputs, made, update=update: made + update(inputs[0]))
            self.blocks.append(updates)
        self.fc = nn.Linear(backbone.num_features, 1)
        nn.init.normal_(self.fc.weight, 0.0, 0.02)

    @property
    def backbone(self) -> VisionTransformer:
        """The frozen vision transformer."""
        backbone: VisionTransformer = self.frozen[0]
        return backbone

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and the class tokens."""
        features: Tensor = self.backbone(x)
        return self.fc(features), features


def without_backbone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The updates and the last layer of a released file by our names; what is no part of its backbone stays."""
    made = {}
    for name, tensor in state.items():
        update = _UPDATE.fullmatch(name.removeprefix(_BACKBONE))
        if update:
            made[f"blocks.{update[1]}.{update[2]}_{update[3]}.{update[4]}"] = tensor
        elif not name.startswith(_BACKBONE):
            made[name.replace(_HEAD, "fc.")] = tensor
    return made


def backbone_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The backbone in a released file, in torch.hub's names; empty if there is none."""
    return {
        name.removeprefix(_BACKBONE).replace(".original_layer.", "."): tensor
        for name, tensor in state.items()
        if name.startswith(_BACKBONE) and ".lora." not in name
    }


def other_backbone(model: Adapted, state: Mapping[str, Tensor]) -> str:
    """How the backbone in a released file differs from the frozen one; '' if it is the same or absent."""
    copy = {name: t for name, t in backbone_of(state).items() if name != "mask_token"}
    if not copy:
        return ""
    frozen = model.backbone.state_dict()
    if "pos_embed" in copy:
        side = math.isqrt(frozen["pos_embed"].shape[1] - 1)
        copy["pos_embed"] = vit.resampled(copy["pos_embed"], 1, side, "hub")
    mismatch = differences(frozen, copy)
    if mismatch:
        return f"The backbone in the checkpoint is a different network. {mismatch}"
    changed = [name for name, t in copy.items() if not torch.allclose(t.to(frozen[name]), frozen[name], atol=1e-5)]
    return f"The backbone in the checkpoint was fine-tuned: {some(sorted(changed))}." if changed else ""
