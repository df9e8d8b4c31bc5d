"""Halves of a CLIP from the Hub's folder format; what does not fit is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPConfig, CLIPModel
from transformers.utils import logging

from bench.nets.loading import read_tensors
from bench.nets.pretrained import load_pretrained

# Its bars would stand between the run's own lines.
logging.disable_progress_bar()


#: What CLIP's images are normalised by; openai/CLIP:clip/clip.py.
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
#: Files that hold a whole CLIP with OpenAI's keys: open_clip's, and GeneCIS's fine-tuned RN50x4.
#: Prefixes of a CLIP's halves in transformers' names.
_TEXT, _VISION = ("text_model.", "text_projection."), ("vision_model.", "visual_projection.")
_OPENAI = ("open_clip_model.safetensors", "rn50x4_backbone.pt")


def has_openai_state(folder: Path) -> bool:
    """Whether a folder holds a CLIP with OpenAI's keys."""
    return any((folder / name).is_file() for name in _OPENAI)


def openai_file(folder: Path) -> Path:
    """The file of a CLIP with OpenAI's keys."""
    return next((folder / name for name in _OPENAI if (folder / name).is_file()), folder / _OPENAI[0])


def openai_state(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a CLIP with OpenAI's keys, in single precision."""
    path = openai_file(folder)
    state = read_tensors(path)
    return {name.removeprefix("module."): t.float() for name, t in state.items() if isinstance(t, torch.Tensor)}


def load_half(kind: Any, folder: Path) -> Any:  # noqa: ANN401 - transformers ships no types
    """The image or the text half of a CLIP folder, by transformers' class for it, in single precision.

    Raises UserError naming tensors that are missing, not wanted, misshapen or not finite.
    """
    other = _TEXT if "Vision" in kind.__name__ else _VISION
    return load_pretrained(kind, folder, (*other, "logit_scale"), dtype=torch.float32)


def _layers(state: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    """Transformer blocks ``old``.resblocks.N under the names ``new``.encoder.layers.N."""
    found: dict[str, Tensor] = {}
    for name in [name for name in state if name.startswith(f"{old}.resblocks.") and name.endswith("ln_1.weight")]:
        number = name.split(".resblocks.")[1].split(".")[0]
        was, now = f"{old}.resblocks.{number}", f"{new}.encoder.layers.{number}"
        for kind in ("weight", "bias"):
            parts = state[f"{was}.attn.in_proj_{kind}"].chunk(3)
            found |= {f"{now}.self_attn.{n}_proj.{kind}": t for n, t in zip("qkv", parts, strict=True)}
            found[f"{now}.self_attn.out_proj.{kind}"] = state[f"{was}.attn.out_proj.{kind}"]
            found |= {f"{now}.layer_norm{n}.{kind}": state[f"{was}.ln_{n}.{kind}"] for n in (1, 2)}
            for a, b in (("c_fc", "fc1"), ("c_proj", "fc2")):
                found[f"{now}.mlp.{b}.{kind}"] = state[f"{was}.mlp.{a}.{kind}"]
    return found


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of an OpenAI CLIP with a ViT, by the names of transformers' CLIPModel; its image half may be alone.

    Raises KeyError naming a tensor that such a CLIP has and ``state`` has not.
    """
    vision, text = "vision_model", "text_model"
    found = {
        f"{vision}.embeddings.class_embedding": state["visual.class_embedding"],
        f"{vision}.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        f"{vision}.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "visual_projection.weight": state["visual.proj"].T,
    }
    for kind in ("weight", "bias"):
        found[f"{vision}.pre_layrnorm.{kind}"] = state[f"visual.ln_pre.{kind}"]
        found[f"{vision}.post_layernorm.{kind}"] = state[f"visual.ln_post.{kind}"]
    found |= _layers(state, "visual.transformer", vision)
    if any(not name.startswith("visual.") for name in state if name not in _SIZES):
        found |= {
            f"{text}.embeddings.token_embedding.weight": state["token_embedding.weight"],
            f"{text}.embeddings.position_embedding.weight": state["positional_embedding"],
            "text_projection.weight": state["text_projection"].T,
            "logit_scale": state["logit_scale"],
            **{f"{text}.final_layer_norm.{kind}": state[f"ln_final.{kind}"] for kind in ("weight", "bias")},
            **_layers(state, "transformer", text),
        }
    return {name: tensor.contiguous().clone() for name, tensor in found.items()}


def to_openai(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The image half of transformers' CLIP by OpenAI's names: the inverse of :func:`to_transformers`."""
    vision, found = "vision_model", dict[str, Tensor]()
    for new, old in (
        ("class_embedding", "embeddings.class_embedding"),
        ("conv1.weight", "embeddings.patch_embedding.weight"),
        ("positional_embedding", "embeddings.position_embedding.weight"),
        *((f"ln_pre.{kind}", f"pre_layrnorm.{kind}") for kind in ("weight", "bias")),
        *((f"ln_post.{kind}", f"post_layernorm.{kind}") for kind in ("weight", "bias")),
    ):
        found[f"visual.{new}"] = state[f"{vision}.{old}"]
    found["visual.proj"] = state["visual_projection.weight"].T
    for name in [name for name in state if name.startswith(f"{vision}.encoder.layers.") and "q_proj" in name]:
        number, kind = name.split(".")[3], name.rpartition(".")[2]
        was, now = f"{vision}.encoder.layers.{number}", f"visual.transformer.resblocks.{number}"
        parts = [state[f"{was}.self_attn.{n}_proj.{kind}"] for n in "qkv"]
        found[f"{now}.attn.in_proj_{kind}"] = torch.cat(parts)
        found[f"{now}.attn.out_proj.{kind}"] = state[f"{was}.self_attn.out_proj.{kind}"]
        for n in (1, 2):
            found[f"{now}.ln_{n}.{kind}"] = state[f"{was}.layer_norm{n}.{kind}"]
        for a, b in (("c_fc", "fc1"), ("c_proj", "fc2")):
            found[f"{now}.mlp.{a}.{kind}"] = state[f"{was}.mlp.{b}.{kind}"]
    return found


#: What OpenAI's files hold beside weights: numbers that the weights' shapes say too.
_SIZES = ("input_resolution", "context_length", "vocab_size")


def misfits(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> list[str]:
    """Names of transformers' CLIP that ``state`` lacks, has too many, or has in another shape than ``config`` says.

    A state with the image half alone is compared with that half alone.
    """
    with torch.device("meta"):
        wanted = CLIPModel(CLIPConfig.from_dict(dict(config))).state_dict()
    alone = not any(name.startswith(_TEXT) for name in state)
    shapes = {
        name: t.shape
        for name, t in wanted.items()
        if not name.endswith("position_ids") and (not alone or name.startswith(_VISION))
    }
    return sorted({n for n in {*shapes, *state} if n not in shapes or n not in state or shapes[n] != state[n].shape})


def save(state: Mapping[str, Tensor], config: Mapping[str, Any], folder: Path) -> None:
    """Write a CLIP of the Hub's format into ``folder``; tensors in single precision."""
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    tensors = {name: tensor.float().contiguous() for name, tensor in state.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
