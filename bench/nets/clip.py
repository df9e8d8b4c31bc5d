"""Load one half of a CLIP model from a folder in the Hub's format, and convert weights to and from OpenAI's keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPConfig, CLIPModel
from transformers.utils import logging

from bench.errors import UserError
from bench.nets.loading import read_tensors
from bench.nets.pretrained import load_pretrained

# The progress bars of transformers would interrupt the run's own output.
logging.disable_progress_bar()


#: The mean and standard deviation by which CLIP normalises images; openai/CLIP:clip/clip.py.
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
#: The prefixes of the two halves of a CLIP in transformers' key layout.
_TEXT, _VISION = ("text_model.", "text_projection."), ("vision_model.", "visual_projection.")
#: Files that hold a whole CLIP with OpenAI's keys: open_clip's, and GeneCIS's fine-tuned RN50x4.
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
    """Load the image or text half of a CLIP folder in single precision; ``kind`` is transformers' class of that half.

    Raises UserError naming the tensors that are missing, unexpected, of the wrong shape or not finite.
    """
    other_half = _TEXT if "Vision" in kind.__name__ else _VISION
    return load_pretrained(kind, folder, (*other_half, "logit_scale"), dtype=torch.float32)


def logit_scale(folder: Path) -> Tensor:
    """The logarithm of the factor on CLIP's similarities, from a folder in the Hub's format.

    Raises UserError if the folder has none.
    """
    file = folder / "model.safetensors"
    try:
        with safe_open(file, "pt") as content:
            scale: Tensor = content.get_tensor("logit_scale").float()
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{file} has no logit_scale.",
            f"{type(error).__name__}: {error}",
            "Give a folder with both halves of a CLIP by --weights ROLE=FOLDER.",
        ) from error
    return scale


def _layers(state: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    """The transformer blocks ``old``.resblocks.N, renamed to ``new``.encoder.layers.N."""
    renamed: dict[str, Tensor] = {}
    for name in [name for name in state if name.startswith(f"{old}.resblocks.") and name.endswith("ln_1.weight")]:
        number = name.split(".resblocks.")[1].split(".")[0]
        source, target = f"{old}.resblocks.{number}", f"{new}.encoder.layers.{number}"
        for kind in ("weight", "bias"):
            qkv = state[f"{source}.attn.in_proj_{kind}"].chunk(3)
            renamed |= {f"{target}.self_attn.{n}_proj.{kind}": t for n, t in zip("qkv", qkv, strict=True)}
            renamed[f"{target}.self_attn.out_proj.{kind}"] = state[f"{source}.attn.out_proj.{kind}"]
            renamed |= {f"{target}.layer_norm{n}.{kind}": state[f"{source}.ln_{n}.{kind}"] for n in (1, 2)}
            for a, b in (("c_fc", "fc1"), ("c_proj", "fc2")):
                renamed[f"{target}.mlp.{b}.{kind}"] = state[f"{source}.mlp.{a}.{kind}"]
    return renamed


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of an OpenAI CLIP with a ViT, under the names of transformers' CLIPModel; the text half is optional.

    Raises KeyError naming a tensor that is missing from ``state``.
    """
    vision, text = "vision_model", "text_model"
    renamed = {
        f"{vision}.embeddings.class_embedding": state["visual.class_embedding"],
        f"{vision}.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        f"{vision}.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "visual_projection.weight": state["visual.proj"].T,
    }
    for kind in ("weight", "bias"):
        renamed[f"{vision}.pre_layrnorm.{kind}"] = state[f"visual.ln_pre.{kind}"]
        renamed[f"{vision}.post_layernorm.{kind}"] = state[f"visual.ln_post.{kind}"]
    renamed |= _layers(state, "visual.transformer", vision)
    if any(not name.startswith("visual.") for name in state if name not in _SIZES):
        renamed |= {
            f"{text}.embeddings.token_embedding.weight": state["token_embedding.weight"],
            f"{text}.embeddings.position_embedding.weight": state["positional_embedding"],
            "text_projection.weight": state["text_projection"].T,
            "logit_scale": state["logit_scale"],
            **{f"{text}.final_layer_norm.{kind}": state[f"ln_final.{kind}"] for kind in ("weight", "bias")},
            **_layers(state, "transformer", text),
        }
    return {name: tensor.contiguous().clone() for name, tensor in renamed.items()}


def to_openai(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The image half of transformers' CLIP under OpenAI's names: the inverse of :func:`to_transformers`."""
    vision, renamed = "vision_model", dict[str, Tensor]()
    for new, old in (
        ("class_embedding", "embeddings.class_embedding"),
        ("conv1.weight", "embeddings.patch_embedding.weight"),
        ("positional_embedding", "embeddings.position_embedding.weight"),
        *((f"ln_pre.{kind}", f"pre_layrnorm.{kind}") for kind in ("weight", "bias")),
        *((f"ln_post.{kind}", f"post_layernorm.{kind}") for kind in ("weight", "bias")),
    ):
        renamed[f"visual.{new}"] = state[f"{vision}.{old}"]
    renamed["visual.proj"] = state["visual_projection.weight"].T
    for name in [name for name in state if name.startswith(f"{vision}.encoder.layers.") and "q_proj" in name]:
        number, kind = name.split(".")[3], name.rpartition(".")[2]
        source, target = f"{vision}.encoder.layers.{number}", f"visual.transformer.resblocks.{number}"
        qkv = [state[f"{source}.self_attn.{n}_proj.{kind}"] for n in "qkv"]
        renamed[f"{target}.attn.in_proj_{kind}"] = torch.cat(qkv)
        renamed[f"{target}.attn.out_proj.{kind}"] = state[f"{source}.self_attn.out_proj.{kind}"]
        for n in (1, 2):
            renamed[f"{target}.ln_{n}.{kind}"] = state[f"{source}.layer_norm{n}.{kind}"]
        for a, b in (("c_fc", "fc1"), ("c_proj", "fc2")):
            renamed[f"{target}.mlp.{a}.{kind}"] = state[f"{source}.mlp.{b}.{kind}"]
    return renamed


#: The entries of OpenAI's files that are not weights: sizes that the weights' shapes give as well.
_SIZES = ("input_resolution", "context_length", "vocab_size")


def misfits(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> list[str]:
    """The sorted names of the tensors of transformers' CLIP with which ``state`` and ``config`` do not agree.

    They are missing from ``state``, unexpected, or of another shape than ``config`` implies. If ``state`` has only the
    image half, only that half is compared.
    """
    with torch.device("meta"):
        expected = CLIPModel(CLIPConfig.from_dict(dict(config))).state_dict()
    image_only = not any(name.startswith(_TEXT) for name in state)
    shapes = {
        name: t.shape
        for name, t in expected.items()
        if not name.endswith("position_ids") and (not image_only or name.startswith(_VISION))
    }
    return sorted({n for n in {*shapes, *state} if n not in shapes or n not in state or shapes[n] != state[n].shape})


def save(state: Mapping[str, Tensor], config: Mapping[str, Any], folder: Path) -> None:
    """Write a CLIP in the Hub's format to ``folder``; the tensors are saved in single precision."""
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    tensors = {name: tensor.float().contiguous() for name, tensor in state.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
