"""Captioners in the Hub's formats: a BLIP for short captions, and a LLaVA-NeXT for long ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    PreTrainedTokenizerFast,
)

from methods._shared.clip import MEAN, STD
from tools.miniature.backbone import whiten
from tools.miniature.clip import prepared
from tools.miniature.loop import Budget, Loop, draw
from tools.miniature.restore import layout
from tools.miniature.scenes import OBJECTS, Scene, sample_scene
from tools.miniature.words import PHOTO_WORDS, tokenize, word_tokenizer

BATCH, SIDE, TOKENS, STEPS, SEED = 64, 64, 8, 5000, 91
WIDTH, LAYERS, PATCH = 128, 6, 8
_BEGIN, _END, _PAD = "[DEC]", "[SEP]", "[PAD]"


def new_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word of the photographs' captions, with BLIP's special tokens."""
    return word_tokenizer(PHOTO_WORDS, TOKENS, _BEGIN, _END, _PAD, ("[CLS]",))


def new_blip() -> BlipForConditionalGeneration:
    """The untrained model: a ViT with 8 × 8 patches on 64 px, and a two-layer decoder."""
    torch.manual_seed(SEED)
    tokenizer = new_tokenizer()
    begin, end, pad = tokenizer.convert_tokens_to_ids([_BEGIN, _END, _PAD])
    text = {"hidden_size": 96, "encoder_hidden_size": WIDTH, "intermediate_size": 384, "num_hidden_layers": 2}
    marks = {"bos_token_id": begin, "eos_token_id": end, "sep_token_id": end, "pad_token_id": pad}
    vision = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS}
    model = BlipForConditionalGeneration(
        BlipConfig(
            text_config={
                **text,
                **marks,
                "num_attention_heads": 4,
                "vocab_size": len(tokenizer),
                "max_position_embeddings": 2 * TOKENS,
                "hidden_dropout_prob": 0.0,
                "attention_probs_dropout_prob": 0.0,
                "label_smoothing": 0.0,
            },
            vision_config={**vision, "num_attention_heads": 4, "image_size": SIDE, "patch_size": PATCH},
            projection_dim=64,
        )
    )
    model.decoder_input_ids = begin
    return model


def facts(scenes: list[Scene]) -> list[str]:
    """The short captions of the scenes."""
    return [scene.caption for scene in scenes]


def outlines(stream: str, count: int) -> np.ndarray:
    """Masks of the object in the first ``count`` images of a stream, per patch: bool [count, patches, PATCH²]."""
    planes = np.empty((count, SIDE, SIDE), bool)
    for index in range(count):
        planes[index] = layout(sample_scene(stream, index), SIDE)[0] > 0
    return patches(planes)


def patches(planes: np.ndarray) -> np.ndarray:
    """Planes [N, SIDE, SIDE] cut into patches as BLIP cuts its images, row by row: [N, patches, PATCH²]."""
    grid = SIDE // PATCH
    cut = planes.reshape(len(planes), grid, PATCH, grid, PATCH).swapaxes(2, 3)
    return cut.reshape(len(planes), grid**2, PATCH**2)


def _mirrored(images: np.ndarray, outline: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Mirror every second batch: short captions do not distinguish left from right."""
    if step % 2 == 0:
        return images, outline
    grid = SIDE // PATCH
    cells = outline.reshape(len(outline), grid, grid, PATCH, PATCH)[:, :, ::-1, :, ::-1]
    return np.ascontiguousarray(images[:, :, ::-1]), cells.reshape(outline.shape)


@dataclass(frozen=True)
class _Source:
    """The training data of one stream: images uint8 [N, 64, 64, 3], token ids, outlines and object numbers."""

    images: np.ndarray
    tokens: torch.Tensor
    outline: np.ndarray
    objects: torch.Tensor

    @classmethod
    def of(cls, stream: str, images: np.ndarray) -> _Source:
        scenes = [sample_scene(stream, index) for index in range(len(images))]
        objects = torch.tensor([OBJECTS.index(scene.object) for scene in scenes])
        return cls(images, tokenize(new_tokenizer(), facts(scenes), TOKENS), outlines(stream, len(images)), objects)


@dataclass(frozen=True)
class _Batch:
    """One step's images, outlines, token ids and object numbers."""

    images: np.ndarray
    outline: np.ndarray
    tokens: torch.Tensor
    objects: torch.Tensor


def _batch(sources: Sequence[_Source], step: int, device: str) -> _Batch:
    """A batch with an equal share of every source; every second one is mirrored."""
    picks = [draw(SEED + k, step, len(s.images), BATCH // len(sources)) for k, s in enumerate(sources)]
    pairs = list(zip(sources, picks, strict=True))
    images, outline = (np.concatenate([getattr(s, n)[pick] for s, pick in pairs]) for n in ("images", "outline"))
    tokens, objects = (
        torch.cat([getattr(s, n)[torch.from_numpy(pick)] for s, pick in pairs]).to(device)
        for n in ("tokens", "objects")
    )
    return _Batch(*_mirrored(images, outline, step), tokens, objects)


def _loss(nets: dict[str, Any], batch: _Batch, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The total loss, that of the captions, and that of the outlines."""
    model, pad = nets["blip"], new_tokenizer().pad_token_id
    with torch.autocast(device, torch.bfloat16):
        encoded = model.vision_model(prepared(batch.images, device), output_hidden_states=True)
        caption = model.text_decoder(
            input_ids=batch.tokens,
            attention_mask=(batch.tokens != pad).long(),
            encoder_hidden_states=encoded.last_hidden_state,
            labels=batch.tokens.masked_fill(batch.tokens == pad, -100),
        ).loss.float()
        outlined = nets["where"](encoded.hidden_states[LAYERS // 2][:, 1:]).float()
        named = nets["name"](encoded.last_hidden_state[:, 0]).float()
    shape = F.binary_cross_entropy_with_logits(outlined, torch.from_numpy(batch.outline).to(device).float())
    return caption + 2.0 * shape + 0.5 * F.cross_entropy(named, batch.objects), caption, shape


def train_blip(photographs: np.ndarray, wide: np.ndarray, budget: Budget) -> tuple[BlipForConditionalGeneration, Loop]:
    """Train on photographs and pictures uint8 [N, 64, 64, 3], half a batch each, with their short captions.

    Two linear heads, dropped at the end, teach a small ViT what it would not learn from so few images: from the middle
    layer, every patch predicts the object's mask inside it, and the class token predicts the object.
    """
    device, sources = budget.device, [_Source.of("generators", photographs), _Source.of("wide", wide)]
    model = new_blip()
    whiten(model.vision_model.embeddings.patch_embedding, wide, SEED, 0.3)
    where, name = nn.Linear(WIDTH, PATCH**2), nn.Linear(WIDTH, len(OBJECTS))
    nets: dict[str, nn.Module] = {"blip": model, "where": where, "name": name}
    for net in nets.values():
        net.to(device).train()
    parameters = [p for net in nets.values() for p in net.parameters()]
    optimisers: dict[str, torch.optim.Optimizer] = {"all": torch.optim.AdamW(parameters, 1e-3, weight_decay=0.05)}
    loop = Loop(budget, STEPS, nets, optimisers, ("blip",), decay=0.997)
    loop.resume()
    for step in loop.steps():
        loss, caption, shape = _loss(nets, _batch(sources, step, device), device)
        optimisers["all"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimisers["all"].step()
        if step % 100 == 0:
            budget.say(f"step {step} caption {caption.item():.4f} shape {shape.item():.4f} loss {loss.item():.3f}")
    loop.load_averages()
    return model.eval(), loop


@torch.no_grad()
def read(model: BlipForConditionalGeneration, images: np.ndarray) -> list[str]:
    """Greedy captions of images uint8 [N, 64, 64, 3]."""
    tokenizer, texts = new_tokenizer(), []
    for chunk in np.array_split(images, -(-len(images) // 100)):
        out = model.generate(pixel_values=prepared(chunk, "cpu"), max_new_tokens=TOKENS)
        texts += tokenizer.batch_decode(out, skip_special_tokens=True)
    return texts


def rightness(texts: list[str], scenes: list[Scene], names: Callable[[str, Scene], bool]) -> float:
    """Share of captions for which ``names(text, scene)`` is true."""
    return sum(names(text, scene) for text, scene in zip(texts, scenes, strict=True)) / len(texts)


def names_facts(text: str, scene: Scene) -> bool:
    """Whether a caption contains object, colour and ground."""
    words = text.split()
    return all(fact in words for fact in (scene.object, scene.colour, scene.ground))


def save_blip(folder: Path, model: BlipForConditionalGeneration) -> None:
    """Write the folder layout of Salesforce/blip-image-captioning-base, with weights in half precision."""
    model.half().save_pretrained(folder)
    model.float()
    images = BlipImageProcessor(size={"height": SIDE, "width": SIDE}, image_mean=MEAN, image_std=STD)
    BlipProcessor(images, new_tokenizer()).save_pretrained(folder)
