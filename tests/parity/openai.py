"""OpenAI's CLIP layout and transformers' one: the same tensors under other names."""

import importlib.util
import sys
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from bench.nets.clip import to_transformers
from methods._shared.tensors import imagenet
from tests.parity.seeded import fill, image

#: A small CLIP: side, patch, layers, width, embedding; text of 12 tokens out of 50, 64 wide, one layer.
SIDE, PATCH, LAYERS, WIDTH, EMBEDDING = 56, 8, 2, 128, 64
CONTEXT, VOCABULARY, TEXT_WIDTH, TEXT_LAYERS = 12, 50, 64, 1


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


def small():
    """The image half of the small seeded CLIP, in transformers' code."""
    config = CLIPVisionConfig(
        projection_dim=EMBEDDING,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=WIDTH // 64,
        image_size=SIDE,
        patch_size=PATCH,
    )
    return fill(CLIPVisionModelWithProjection(config))
