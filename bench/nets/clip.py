"""Halves of a CLIP from the Hub's folder format; what does not fit is named."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPConfig, CLIPModel
from transformers.utils import logging

# Its bars would stand between the run's own lines.
logging.disable_progress_bar()


#: What CLIP's images are normalised by; openai/CLIP:clip/clip.py.
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
#: Files that hold a whole CLIP with OpenAI's keys: open_clip's, and GeneCIS's fine-tuned RN50x4.
_OPENAI = ("open_clip_model.safetensors", "rn50x4_backbone.pt")


def has_openai_state(folder: Path) -> bool:
    """Whether a folder holds a CLIP with OpenAI's keys."""
    return any((folder / name).is_file() for name in _OPENAI)


def openai_state(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a CLIP with OpenAI's keys, in single precision."""
    path = next((folder / name for name in _OPENAI if (folder / name).is_file()), folder / _OPENAI[0])
    state = torch.load(path, map_location="cpu", weights_only=True) if path.suffix == ".pt" else load_file(path)
    return {name.removeprefix("module."): t.float() for name, t in state.items() if isinstance(t, torch.Tensor)}


def load_half(kind: Any, folder: Path) -> Any:  # noqa: ANN401 - transformers ships no types
    """The image or the text half of a CLIP folder, by transformers' class for it, in single precision.

    Raises KeyError naming tensors that are missing or misshapen.
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # It would list the other half, which is left out on purpose.
    try:
        half, told = kind.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
        )
    finally:
        logging.set_verbosity(verbosity)
    wrong = [*told["missing_keys"], *(entry[0] for entry in told["mismatched_keys"])]
    if wrong:
        raise KeyError(f"CLIP weights in {folder} do not fit: missing or misshapen {sorted(wrong)}")
    return half


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
    """The tensors of an OpenAI CLIP with a ViT, by the names of transformers' CLIPModel.

    Raises KeyError naming a tensor that such a CLIP has and ``state`` has not.
    """
    vision, text = "vision_model", "text_model"
    found = {
        f"{vision}.embeddings.class_embedding": state["visual.class_embedding"],
        f"{vision}.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        f"{vision}.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        f"{text}.embeddings.token_embedding.weight": state["token_embedding.weight"],
        f"{text}.embeddings.position_embedding.weight": state["positional_embedding"],
        "visual_projection.weight": state["visual.proj"].T,
        "text_projection.weight": state["text_projection"].T,
        "logit_scale": state["logit_scale"],
    }
    for kind in ("weight", "bias"):
        found[f"{vision}.pre_layrnorm.{kind}"] = state[f"visual.ln_pre.{kind}"]
        found[f"{vision}.post_layernorm.{kind}"] = state[f"visual.ln_post.{kind}"]
        found[f"{text}.final_layer_norm.{kind}"] = state[f"ln_final.{kind}"]
    found |= _layers(state, "visual.transformer", vision) | _layers(state, "transformer", text)
    return {name: tensor.contiguous().clone() for name, tensor in found.items()}


def save_beside(state: Mapping[str, Tensor], base: Path, folder: Path) -> list[str]:
    """Write ``state`` as a CLIP of the Hub's format into ``folder``, all else as in ``base``.

    Returns the names that are missing, not wanted or misshapen; if there are any, nothing is written.
    """
    with torch.device("meta"):
        wanted = CLIPModel(CLIPConfig.from_pretrained(base)).state_dict()
    shapes = {name: t.shape for name, t in wanted.items() if not name.endswith("position_ids")}
    wrong = sorted({n for n in {*shapes, *state} if n not in shapes or n not in state or shapes[n] != state[n].shape})
    if wrong:
        return wrong
    for path in base.iterdir():
        if path.suffix in (".json", ".txt"):
            shutil.copyfile(path, folder / path.name)
    tensors = {name: tensor.float() for name, tensor in state.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return []
