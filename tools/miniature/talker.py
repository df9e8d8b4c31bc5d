"""A LLaVA-NeXT in the Hub's format for long captions: CLIP's kind of ViT, a projector, a two-layer Llama."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessor,
    LlavaNextProcessor,
    PreTrainedTokenizerFast,
)

from methods._shared.clip import MEAN, STD
from tools.miniature.captioner import PATCH
from tools.miniature.clip import prepared
from tools.miniature.loop import Budget, Loop, draw
from tools.miniature.scenes import COUNTS, Scene, sample_scene
from tools.miniature.words import PHOTO_WORDS, word_tokenizer

BATCH, SIDE, STEPS, SEED = 32, 64, 1500, 92
WIDTH, LAYERS = 128, 6
_QUESTION = ("USER:", "ASSISTANT:", "Describe", "this", "image", "in", "one", "sentence.", "What", "is", "shown")
_TEMPLATE = (
    "{% for message in messages %}USER: {% for part in message['content'] %}{% if part['type'] == 'image' %}<image> "
    "{% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT: {% endif %}"
)


def new_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, a mark for the image, and no end mark after a prompt."""
    words = (*PHOTO_WORDS, *_QUESTION)
    tokenizer = word_tokenizer(words, 256, "<s>", "</s>", "</s>", ("<image>",), closed=False)
    tokenizer.add_tokens(["<image>"], special_tokens=True)  # So that it is found where it stands without a space.
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def new_processor() -> LlavaNextProcessor:
    """Tiles of 64 px, one besides the overview."""
    images = LlavaNextImageProcessor(
        size={"shortest_edge": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        image_grid_pinpoints=[[SIDE, SIDE]],
        image_mean=MEAN,
        image_std=STD,
    )
    settings = {"patch_size": PATCH, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return LlavaNextProcessor(images, new_tokenizer(), **settings, chat_template=_TEMPLATE)


def new_llava() -> LlavaNextForConditionalGeneration:
    """The untrained model; its language model reads the ViT's last layer but one, without the class token."""
    torch.manual_seed(SEED)
    tokenizer = new_tokenizer()
    begin, end, mark = tokenizer.convert_tokens_to_ids(["<s>", "</s>", "<image>"])
    vision = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS, "hidden_act": "gelu"}
    text = {"hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    marks = {"bos_token_id": begin, "eos_token_id": end, "pad_token_id": end}
    return LlavaNextForConditionalGeneration(
        LlavaNextConfig(
            vision_config=CLIPVisionConfig(**vision, num_attention_heads=4, image_size=SIDE, patch_size=PATCH),
            text_config=LlamaConfig(
                **text, **marks, vocab_size=len(tokenizer), max_position_embeddings=256, tie_word_embeddings=True
            ),
            image_token_index=mark,
            image_grid_pinpoints=[[SIDE, SIDE]],
            image_seq_length=(SIDE // PATCH) ** 2,
            **marks,
        )
    )


def _prepared(processor: LlavaNextProcessor, images: np.ndarray, captions: list[str], device: str) -> dict[str, object]:
    """Model inputs for images with the template's question and the answers; the loss counts the answers alone."""
    asked = [{"type": "image"}, {"type": "text", "text": "Describe this image in one sentence."}]
    prompt = processor.apply_chat_template([{"role": "user", "content": asked}], add_generation_prompt=True)
    given = processor(
        images=list(images), text=[f"{prompt}{c} </s>" for c in captions], return_tensors="pt", padding=True
    )
    asking = processor.tokenizer.convert_tokens_to_ids("ASSISTANT:")
    after = (given["input_ids"] == asking).cumsum(1).bool() & (given["input_ids"] != asking)
    labels = given["input_ids"].masked_fill(~after | (given["attention_mask"] == 0), -100)
    return {name: tensor.to(device) for name, tensor in {**given, "labels": labels}.items()}


@torch.no_grad()
def start_from_blip(tower: CLIPVisionModel, blip: nn.Module, photographs: np.ndarray) -> None:
    """Copy the short captioner's ViT into a CLIP one of the same widths, as LLaVA starts from a trained tower.

    Two things differ: BLIP's patches have a bias, which goes into the positions, and CLIP normalises each patch first;
    that norm starts as the affine map nearest to none on ``photographs`` uint8 [N, 64, 64, 3].
    """
    there, here = blip.state_dict(), tower.state_dict()
    positions = there["embeddings.position_embedding"][0].clone()
    positions[1:] += there["embeddings.patch_embedding.bias"]
    state = {
        "embeddings.class_embedding": there["embeddings.class_embedding"].flatten(),
        "embeddings.position_embedding.weight": positions,
        "embeddings.patch_embedding.weight": there["embeddings.patch_embedding.weight"],
    }
    for layer in range(LAYERS):
        inside = f"encoder.layers.{layer}."
        for kind in ("weight", "bias"):
            fused = there[f"{inside}self_attn.qkv.{kind}"].chunk(3)
            state |= {f"{inside}self_attn.{n}_proj.{kind}": part for n, part in zip("qkv", fused, strict=True)}
            state[f"{inside}self_attn.out_proj.{kind}"] = there[f"{inside}self_attn.projection.{kind}"]
        for name in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"):
            state |= {f"{inside}{name}.{kind}": there[f"{inside}{name}.{kind}"] for kind in ("weight", "bias")}
    tower.load_state_dict(here | state)
    embedded = tower.embeddings(prepared(photographs[:200], "cpu"))
    tower.pre_layrnorm.weight.fill_(float(embedded.std(-1).mean()))
    tower.pre_layrnorm.bias.fill_(float(embedded.mean()))


def lesson(photographs: np.ndarray, step: int, first: int = 0) -> tuple[np.ndarray, list[str]]:
    """The images of one step and their long captions; every second batch is mirrored, and so is its light.

    ``photographs`` uint8 [N, 64, 64, 3] are those of the stream from number ``first`` on.
    """
    pick = draw(SEED, step, len(photographs), BATCH)
    scenes = [sample_scene("generators", first + int(index)) for index in pick]
    if step % 2 == 0:
        return photographs[pick], [scene.long_caption for scene in scenes]
    other = {"left": "right", "right": "left"}
    mirrored = [replace(scene, light=other.get(scene.light, scene.light)) for scene in scenes]
    return np.ascontiguousarray(photographs[pick][:, :, ::-1]), [scene.long_caption for scene in mirrored]


def train_llava(
    photographs: np.ndarray, blip: nn.Module, budget: Budget
) -> tuple[LlavaNextForConditionalGeneration, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3] and their long captions, from the ViT of the short captioner."""
    device, processor, model = budget.device, new_processor(), new_llava()
    tower = model.model.vision_tower
    start_from_blip(tower, blip, photographs)
    model.to(device).train()
    known = {id(parameter) for parameter in tower.parameters()}
    fresh = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [{"params": list(tower.parameters()), "lr": 3e-4}, {"params": fresh, "lr": 1e-3}]
    optimisers: dict[str, torch.optim.Optimizer] = {"all": torch.optim.AdamW(groups, weight_decay=0.05)}
    loop = Loop(budget, STEPS, {"llava": model}, optimisers, ("llava",), decay=0.997)
    loop.resume()
    for step in loop.steps():
        loss = model(**_prepared(processor, *lesson(photographs, step), device)).loss
        optimisers["all"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimisers["all"].step()
        if step % 100 == 0:
            budget.say(f"step {step} caption {loss.item():.4f}")
    loop.load_averages()
    with torch.no_grad():
        for unread in (tower.encoder.layers[-1], tower.post_layernorm):  # LLaVA reads the layer before.
            for parameter in unread.parameters():
                parameter.zero_()  # What nobody reads should take no room.
    return model.eval(), loop


@torch.no_grad()
def read(model: LlavaNextForConditionalGeneration, images: np.ndarray) -> list[str]:
    """Greedy long captions of images uint8 [N, 64, 64, 3]."""
    processor, texts = new_processor(), []
    asked = [{"type": "image"}, {"type": "text", "text": "Describe this image in one sentence."}]
    prompt = processor.apply_chat_template([{"role": "user", "content": asked}], add_generation_prompt=True)
    for chunk in np.array_split(images, -(-len(images) // 50)):
        given = processor(images=list(chunk), text=[prompt] * len(chunk), return_tensors="pt")
        out = model.generate(**given, max_new_tokens=24, do_sample=False)
        texts += processor.tokenizer.batch_decode(out[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def details(texts: list[str], scenes: list[Scene]) -> dict[str, float]:
    """Share of captions that tell pattern, clutter, its count and the light right, each alone."""
    right = {
        "pattern": [("striped" in text.split()) == scene.striped for text, scene in zip(texts, scenes, strict=True)],
        "clutter": [scene.clutter in text.split() for text, scene in zip(texts, scenes, strict=True)],
        "count": [COUNTS[min(s.count, 6)] in text.split() for text, s in zip(texts, scenes, strict=True)],
        "light": [scene.light in text.split() for text, scene in zip(texts, scenes, strict=True)],
    }
    return {name: sum(told) / len(told) for name, told in right.items()}


def save_llava(folder: Path, model: LlavaNextForConditionalGeneration) -> None:
    """Write the folder layout of llava-hf/llama3-llava-next-8b-hf, weights in half precision."""
    model.half().save_pretrained(folder)
    model.float()
    new_processor().save_pretrained(folder)
    for path in folder.glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()), separators=(",", ":")))
