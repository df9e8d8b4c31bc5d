"""Vision transformers of timm from the files people have: timm's, torch.hub's DINOv2, or transformers' DINOv2.

All become timm's network and names, in which torch.hub's DINOv2 is written too. A network is built for one image size,
to which the position embeddings are resampled when they are loaded.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional as F

from bench.errors import UserError
from bench.nets.loading import load_strictly, read_tensors, some

State = Mapping[str, Tensor]
#: How position embeddings are resampled: as torch.hub's DINOv2 does at every forward pass, where a scale factor with an
#: offset of 0.1 shifts the grid a little, or as timm does when it loads a file (bicubic with antialiasing).
Resampling = Literal["hub", "timm"]
_OFFSET = 0.1
#: The width of a head in every published network; transformers' configuration says the number of heads.
_HEAD = 64
#: The three layers of transformers' DINOv2 that are one in all others.
_PARTS = ("query", "key", "value")
#: Names of transformers' DINOv2, in files and in modules of its release 5, and what they become.
_RENAMED = (
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.register_tokens", "reg_token"),
    ("register_tokens", "reg_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embeddings.projection.", "patch_embed.proj."),
    ("encoder.layer.", "blocks."),
    *((f".attention.{new}_proj.", f".attention.attention.{old}.") for new, old in zip("qkv", _PARTS, strict=True)),
    ("attention.o_proj.", "attn.proj."),
    ("attention.output.dense.", "attn.proj."),
    ("layer_scale1.lambda1", "ls1.gamma"),
    ("layer_scale2.lambda1", "ls2.gamma"),
    ("layernorm.", "norm."),
)
#: What no network here uses: the token of masked patches, and heads.
_UNUSED = ("mask_token", "embeddings.mask_token", "head.")


@dataclass(frozen=True)
class Shape:
    """A vision transformer: ``size`` is the side of its images in pixels, ``patch`` that of a patch.

    ``scaled``: whether each branch is multiplied by a vector (LayerScale). ``registers``: tokens beside the class
    token; with them, only patches have position embeddings, and a file's embedding of the class token is added to it.
    """

    width: int
    depth: int
    heads: int
    patch: int
    size: int
    scaled: bool = True
    registers: int = 0


def build(shape: Shape) -> VisionTransformer:
    """The network without a head; images float [B, 3, size, size] become the class token after the norm [B, width]."""
    return VisionTransformer(
        img_size=shape.size,
        patch_size=shape.patch,
        embed_dim=shape.width,
        depth=shape.depth,
        num_heads=shape.heads,
        num_classes=0,
        global_pool="token",
        init_values=1e-5 if shape.scaled else None,
        reg_tokens=shape.registers,
        no_embed_class=shape.registers > 0,
    )


def load(folder: Path, size: int, resampling: Resampling = "hub", **changes: Any) -> VisionTransformer:  # noqa: ANN401 - of Shape
    """The network of a role's folder for images of ``size`` pixels.

    ``changes`` are fields of :class:`Shape` in which the network shall differ from the file: without ``scaled``, the
    vectors are multiplied into the layers before them, which changes nothing. Raises UserError naming tensors that do
    not fit.
    """
    file, found, state = _read(folder)
    shape = replace(found, size=size, **changes)
    network = build(shape)
    load_strictly(network, fitted(state, found, shape, resampling), file, "vision transformer")
    return network


def classifier(shape: Shape, folder: Path | None = None, resampling: Resampling = "timm") -> VisionTransformer:
    """The network with one logit [B, 1], from the pretrained weights of a role's folder if there is one.

    Layers and heads are those of ``shape``. Raises UserError naming tensors that do not fit.
    """
    network = build(shape)
    if folder is not None:
        file, found, state = _read(folder)
        load_strictly(network, fitted(state, found, shape, resampling), file, "vision transformer of that shape")
    network.reset_classifier(1)
    return network


def shape_of(state: State, heads: int = 0) -> Shape:
    """The shape of a network from its tensors, in timm's names."""
    projection = state["patch_embed.proj.weight"]
    width, patch = projection.shape[0], projection.shape[-1]
    depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    side = math.isqrt(state["pos_embed"].shape[1])
    return Shape(
        width=width,
        depth=depth,
        heads=heads or width // _HEAD,
        patch=patch,
        size=side * patch,
        scaled="blocks.0.ls1.gamma" in state,
        registers=state["reg_token"].shape[1] if "reg_token" in state else 0,
    )


def fitted(state: State, found: Shape, wanted: Shape, resampling: Resampling) -> dict[str, Tensor]:
    """The tensors of a network of shape ``found`` as one of shape ``wanted`` has them."""
    made = dict(state)
    first = made["pos_embed"].shape[1] - (found.size // found.patch) ** 2
    if first and wanted.registers:
        made["cls_token"] = made["cls_token"] + made["pos_embed"][:, :1]
        made["pos_embed"], first = made["pos_embed"][:, 1:], 0
    made["pos_embed"] = resampled(made["pos_embed"], first, wanted.size // wanted.patch, resampling)
    return made if wanted.scaled or not found.scaled else _without_scales(made)


def resampled(positions: Tensor, first: int, side: int, rule: Resampling) -> Tensor:
    """Position embeddings [1, first + N², width] for a grid of ``side``²; the ``first`` ones are kept."""
    kept, grid = positions[:, :first], positions[:, first:]
    old = math.isqrt(grid.shape[1])
    if old == side:
        return positions
    planes = grid.float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    if rule == "hub":
        factor = (side + _OFFSET) / old
        made = F.interpolate(planes, scale_factor=(factor, factor), mode="bicubic")
    else:
        made = F.interpolate(planes, size=(side, side), mode="bicubic", antialias=True)
    return torch.cat([kept.float(), made.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def from_transformers(state: State) -> dict[str, Tensor]:
    """Tensors of transformers' Dinov2Model or Dinov2WithRegistersModel in timm's names."""
    made: dict[str, Tensor] = {}
    for name, tensor in state.items():
        new = name
        for old, change in _RENAMED:
            new = new.replace(old, change)
        made[new] = tensor
    for name in [n for n in made if ".attention.attention.query." in n]:
        parts = [made.pop(name.replace("query", part)) for part in _PARTS]
        made[name.replace("attention.attention.query", "attn.qkv")] = torch.cat(parts)
    return made


def _without_scales(state: State) -> dict[str, Tensor]:
    """The vectors multiplied into the layers before them; what is missing or does not fit is left to the loader."""
    made = {name: tensor for name, tensor in state.items() if not re.search(r"\.ls[12]\.gamma$", name)}
    for number, layer in (("1", "attn.proj"), ("2", "mlp.fc2")):
        for name in [n for n in state if n.endswith(f".ls{number}.gamma")]:
            gamma = state[name].float()
            for part in ("weight", "bias"):
                place = f"{name.rpartition('.ls')[0]}.{layer}.{part}"
                if place in state and len(state[place]) == len(gamma):
                    made[place] = torch.einsum("o,o...->o...", gamma, state[place].float())
    return made


def _read(folder: Path) -> tuple[Path, Shape, State]:
    files = (
        [folder] if folder.is_file() else sorted(p for p in folder.glob("*") if p.suffix in (".safetensors", ".pth"))
    )
    file = files[0] if files else folder / "model.safetensors"
    state = {name: t for name, t in read_tensors(file).items() if not name.startswith(_UNUSED)}
    config = file.parent / "config.json"
    about = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
    if any(name.endswith("register_tokens") or name.startswith("embeddings.") for name in state):
        state = from_transformers(state)
    missing = [n for n in ("cls_token", "pos_embed", "patch_embed.proj.weight", "norm.weight") if n not in state]
    if missing:
        raise UserError(
            f"{file} holds no vision transformer.",
            f"It lacks {', '.join(missing)}; it has {some(sorted(state))}.",
            "Take the file of timm, of torch.hub's DINOv2 or of transformers' Dinov2Model.",
        )
    return file, shape_of(state, int(about.get("num_attention_heads", 0))), state
