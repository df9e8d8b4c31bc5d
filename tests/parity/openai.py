"""OpenAI's CLIP layout and transformers' one: the same tensors under other names."""

import importlib.util
import sys
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel

from methods._parts.tensors import imagenet
from tests.parity.seeded import fill, image

#: A small CLIP: side, patch, layers, width, embedding; text of 12 tokens out of 50, 64 wide, one layer.
SIDE, PATCH, LAYERS, WIDTH, EMBEDDING = 56, 8, 2, 128, 64
CONTEXT, VOCABULARY, TEXT_WIDTH, TEXT_LAYERS = 12, 50, 64, 1


def _block(state, old, new):
    found = {}
    for kind in ("weight", "bias"):
        q, k, v = state[f"{old}.attn.in_proj_{kind}"].chunk(3)
        found |= {f"{new}.self_attn.{n}_proj.{kind}": t for n, t in (("q", q), ("k", k), ("v", v))}
        found[f"{new}.self_attn.out_proj.{kind}"] = state[f"{old}.attn.out_proj.{kind}"]
        found |= {f"{new}.layer_norm{n}.{kind}": state[f"{old}.ln_{n}.{kind}"] for n in (1, 2)}
        found |= {
            f"{new}.mlp.{b}.{kind}": state[f"{old}.mlp.{a}.{kind}"] for a, b in (("c_fc", "fc1"), ("c_proj", "fc2"))
        }
    return found


def to_transformers(state):
    """The tensors of an OpenAI CLIP under the names of transformers' CLIPModel."""
    vision, text = "vision_model", "text_model"
    found = {
        f"{vision}.embeddings.class_embedding": state["visual.class_embedding"],
        f"{vision}.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        f"{vision}.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        f"{text}.embeddings.token_embedding.weight": state["token_embedding.weight"],
        f"{text}.embeddings.position_embedding.weight": state["positional_embedding"],
        "visual_projection.weight": state["visual.proj"].T.contiguous(),
        "text_projection.weight": state["text_projection"].T.contiguous(),
        "logit_scale": state["logit_scale"],
    }
    for kind in ("weight", "bias"):
        found[f"{vision}.pre_layrnorm.{kind}"] = state[f"visual.ln_pre.{kind}"]
        found[f"{vision}.post_layernorm.{kind}"] = state[f"visual.ln_post.{kind}"]
        found[f"{text}.final_layer_norm.{kind}"] = state[f"ln_final.{kind}"]
    for layer in range(LAYERS):
        found |= _block(state, f"visual.transformer.resblocks.{layer}", f"{vision}.encoder.layers.{layer}")
    for layer in range(TEXT_LAYERS):
        found |= _block(state, f"transformer.resblocks.{layer}", f"{text}.encoder.layers.{layer}")
    return found


def save(state, folder):
    """Write the small CLIP of an OpenAI state in the Hub's folder format."""
    vision = {
        "projection_dim": EMBEDDING,
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
    }
    text = {
        "projection_dim": EMBEDDING,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 4 * TEXT_WIDTH,
        "num_hidden_layers": TEXT_LAYERS,
    }
    config = CLIPConfig(
        vision_config={**vision, "num_attention_heads": WIDTH // 64, "image_size": SIDE, "patch_size": PATCH},
        text_config={
            **text,
            "num_attention_heads": 1,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": CONTEXT,
            "eos_token_id": VOCABULARY - 1,
        },
        projection_dim=EMBEDDING,
    )
    model = CLIPModel(config)
    told = model.load_state_dict(to_transformers(state), strict=False)
    assert not told.unexpected_keys
    assert all("position_ids" in name for name in told.missing_keys)
    model.save_pretrained(folder)
    return folder


def tokens(*rows):
    """Token numbers with the end mark, the largest number, last: int64 [B, CONTEXT]."""
    found = torch.zeros(len(rows), CONTEXT, dtype=torch.int64)
    for row, numbers in zip(found, rows, strict=True):
        row[: len(numbers) + 1] = torch.tensor([*numbers, VOCABULARY - 1])
    return found


def published():
    """The small seeded CLIP in OpenAI's own code."""
    file = next(path for folder in sys.path if (path := Path(folder) / "models/clip/model.py").exists())
    spec = importlib.util.spec_from_file_location("openai_clip", file)
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    vision = (EMBEDDING, SIDE, LAYERS, WIDTH, PATCH)
    return fill(model.CLIP(*vision, CONTEXT, VOCABULARY, TEXT_WIDTH, 1, TEXT_LAYERS))


def views():
    """Two images as CLIP's detectors see them: float [2, 3, SIDE, SIDE]."""
    return torch.stack([imagenet(image(n, SIDE, SIDE)) for n in (0, 1)])
