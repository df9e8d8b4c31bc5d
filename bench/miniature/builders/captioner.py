"""Captioners in the Hub's formats: a BLIP for short captions, and a LLaVA-NeXT for long ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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

from bench.miniature.builders.backbone import whiten
from bench.miniature.builders.clip import prepared
from bench.miniature.builders.loop import Budget, Loop, draw
from bench.miniature.builders.restore import layout
from bench.miniature.builders.words import PHOTO_WORDS, tokenize, word_tokenizer
from bench.miniature.scenes import OBJECTS, Scene, sample_scene
from methods._parts.clip import MEAN, STD

BATCH, SIDE, TOKENS, STEPS, SEED = 64, 64, 8, 5000, 91
WIDTH, LAYERS, PATCH = 128, 6, 8
_BEGIN, _END, _PAD = "[DEC]", "[SEP]", "[PAD]"


def new_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word of the photographs' captions, with BLIP's marks."""
    return word_tokenizer(PHOTO_WORDS, TOKENS, _BEGIN, _END, _PAD, ("[CLS]",))


def new_blip() -> BlipForConditionalGeneration:
    """The untrained model: a ViT with 8 × 8 patches of 64 px, and a two-layer decoder."""
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
    """The short captions."""
    return [scene.caption for scene in scenes]


def outlines(stream: str, count: int) -> np.ndarray:
    """Where the object stands in the first ``count`` images of a stream, per patch: bool [count, patches, PATCH²]."""
    made = np.empty((count, SIDE, SIDE), bool)
    for index in range(count):
        made[index] = layout(sample_scene(stream, index), SIDE)[0] > 0
    return patches(made)


def patches(planes: np.ndarray) -> np.ndarray:
    """Planes [N, SIDE, SIDE] cut as BLIP cuts its images, row by row: [N, patches, PATCH²]."""
    grid = SIDE // PATCH
    cut = planes.reshape(len(planes), grid, PATCH, grid, PATCH).swapaxes(2, 3)
    return cut.reshape(len(planes), grid**2, PATCH**2)


def _mirrored(images: np.ndarray, outline: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Every second batch mirrored: no caption tells left from right."""
    if step % 2 == 0:
        return images, outline
    grid = SIDE // PATCH
    cells = outline.reshape(len(outline), grid, grid, PATCH, PATCH)[:, :, ::-1, :, ::-1]
    return np.ascontiguousarray(images[:, :, ::-1]), cells.reshape(outline.shape)


def train_blip(photographs: np.ndarray, wide: np.ndarray, budget: Budget) -> tuple[BlipForConditionalGeneration, Loop]:
    """Train on photographs and pictures uint8 [N, 64, 64, 3], half a batch each, with their short captions.

    Two linear heads, dropped at the end, teach a small ViT what it would not find in so few images: half way up every
    patch tells where in it the object stands, and the summary names the object.
    """
    device, tokenizer = budget.device, new_tokenizer()
    captions = [
        facts([sample_scene(s, i) for i in range(n)])
        for s, n in (("generators", len(photographs)), ("wide", len(wide)))
    ]
    ids = [tokenize(tokenizer, texts, TOKENS).to(device) for texts in captions]
    shapes = [outlines(s, n) for s, n in (("generators", len(photographs)), ("wide", len(wide)))]
    named = [
        torch.tensor([OBJECTS.index(sample_scene(s, i).object) for i in range(n)], device=device)
        for s, n in (("generators", len(photographs)), ("wide", len(wide)))
    ]
    model = new_blip()
    whiten(model.vision_model.embeddings.patch_embedding, wide, SEED, 0.3)
    model.to(device).train()
    where, name = nn.Linear(WIDTH, PATCH**2).to(device), nn.Linear(WIDTH, len(OBJECTS)).to(device)
    nets: dict[str, nn.Module] = {"blip": model, "where": where, "name": name}
    parameters = [p for net in nets.values() for p in net.parameters()]
    optimisers: dict[str, torch.optim.Optimizer] = {"all": torch.optim.AdamW(parameters, 1e-3, weight_decay=0.05)}
    loop = Loop(budget, STEPS, nets, optimisers, ("blip",), decay=0.997)
    loop.resume()
    half, pad = BATCH // 2, tokenizer.pad_token_id
    for step in loop.steps():
        picks = [draw(SEED + source, step, len(images), half) for source, images in enumerate((photographs, wide))]
        images, outline = _mirrored(
            np.concatenate([photographs[picks[0]], wide[picks[1]]]),
            np.concatenate([table[pick] for table, pick in zip(shapes, picks, strict=True)]),
            step,
        )
        tokens, objects = (
            torch.cat([table[torch.from_numpy(pick).to(device)] for table, pick in zip(tables, picks, strict=True)])
            for tables in (ids, named)
        )
        with torch.autocast(device, torch.bfloat16):
            seen = model.vision_model(prepared(images, device), output_hidden_states=True)
            states = seen.last_hidden_state
            said = model.text_decoder(
                input_ids=tokens,
                attention_mask=(tokens != pad).long(),
                encoder_hidden_states=states,
                labels=tokens.masked_fill(tokens == pad, -100),
            )
            drawn, told = where(seen.hidden_states[LAYERS // 2][:, 1:]), name(states[:, 0])
        target = torch.from_numpy(outline).to(device).float()
        shape = F.binary_cross_entropy_with_logits(drawn.float(), target)
        loss = said.loss.float() + 2.0 * shape + 0.5 * F.cross_entropy(told.float(), objects)
        optimisers["all"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimisers["all"].step()
        if step % 100 == 0:
            budget.say(f"step {step} caption {said.loss.item():.4f} shape {shape.item():.4f} loss {loss.item():.3f}")
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
    """Share of captions that name the facts right."""
    return sum(names(text, scene) for text, scene in zip(texts, scenes, strict=True)) / len(texts)


def names_facts(text: str, scene: Scene) -> bool:
    """Whether object, colour and ground all stand in a caption."""
    words = text.split()
    return all(fact in words for fact in (scene.object, scene.colour, scene.ground))


def save_blip(folder: Path, model: BlipForConditionalGeneration) -> None:
    """Write the folder layout of Salesforce/blip-image-captioning-base, weights in half precision."""
    model.half().save_pretrained(folder)
    model.float()
    images = BlipImageProcessor(size={"height": SIDE, "width": SIDE}, image_mean=MEAN, image_std=STD)
    BlipProcessor(images, new_tokenizer()).save_pretrained(folder)
