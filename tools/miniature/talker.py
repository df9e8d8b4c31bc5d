"""A LLaVA-NeXT in the Hub's format for long captions: a CLIP ViT, a projector and a two-layer Llama."""

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
    """One token per word, a special token for the image, and no end token after a prompt."""
    words = (*PHOTO_WORDS, *_QUESTION)
    tokenizer = word_tokenizer(words, 256, "<s>", "</s>", "</s>", ("<image>",), closed=False)
    tokenizer.add_tokens(["<image>"], special_tokens=True)  # So that it is recognised without spaces around it.
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def new_processor() -> LlavaNextProcessor:
    """The processor: tiles of 64 px, one in addition to the overview."""
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
    """The untrained model; its language model uses the ViT's second-to-last layer, without the class token."""
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
    """Model inputs: images, the template's question, and captions as answers; only answers count in the loss."""
    question = [{"type": "image"}, {"type": "text", "text": "Describe this image in one sentence."}]
    prompt = processor.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True)
    inputs = processor(
        images=list(images), text=[f"{prompt}{c} </s>" for c in captions], return_tensors="pt", padding=True
    )
    answer = processor.tokenizer.convert_tokens_to_ids("ASSISTANT:")
    after = (inputs["input_ids"] == answer).cumsum(1).bool() & (inputs["input_ids"] != answer)
    labels = inputs["input_ids"].masked_fill(~after | (inputs["attention_mask"] == 0), -100)
    return {name: tensor.to(device) for name, tensor in {**inputs, "labels": labels}.items()}


@torch.no_grad()
def start_from_blip(tower: CLIPVisionModel, blip: nn.Module, photographs: np.ndarray) -> None:
    """Copy the short captioner's ViT into a CLIP ViT of the same size; LLaVA also starts from a trained vision tower.

    There are two differences. BLIP's patch embedding has a bias, which is added to the position embeddings. CLIP
    normalises each patch first; that norm is initialised to be close to the identity on ``photographs`` uint8
    [N, 64, 64, 3].
    """
    source, target = blip.state_dict(), tower.state_dict()
    positions = source["embeddings.position_embedding"][0].clone()
    positions[1:] += source["embeddings.patch_embedding.bias"]
    state = {
        "embeddings.class_embedding": source["embeddings.class_embedding"].flatten(),
        "embeddings.position_embedding.weight": positions,
        "embeddings.patch_embedding.weight": source["embeddings.patch_embedding.weight"],
    }
    for layer in range(LAYERS):
        inside = f"encoder.layers.{layer}."
        for kind in ("weight", "bias"):
            fused = source[f"{inside}self_attn.qkv.{kind}"].chunk(3)
            state |= {f"{inside}self_attn.{n}_proj.{kind}": part for n, part in zip("qkv", fused, strict=True)}
            state[f"{inside}self_attn.out_proj.{kind}"] = source[f"{inside}self_attn.projection.{kind}"]
        for name in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"):
            state |= {f"{inside}{name}.{kind}": source[f"{inside}{name}.{kind}"] for kind in ("weight", "bias")}
    tower.load_state_dict(target | state)
    embedded = tower.embeddings(prepared(photographs[:200], "cpu"))
    tower.pre_layrnorm.weight.fill_(float(embedded.std(-1).mean()))
    tower.pre_layrnorm.bias.fill_(float(embedded.mean()))


def lesson(photographs: np.ndarray, step: int, first: int = 0) -> tuple[np.ndarray, list[str]]:
    """The images of one step and their long captions; every second batch is mirrored, with its light.

    ``photographs`` are uint8 [N, 64, 64, 3]; ``first`` is the number of the first one in its stream.
    """
    pick = draw(SEED, step, len(photographs), BATCH)
    scenes = [sample_scene("generators", first + int(index)) for index in pick]
    if step % 2 == 0:
        return photographs[pick], [scene.long_caption for scene in scenes]
    opposite = {"left": "right", "right": "left"}
    mirrored = [replace(scene, light=opposite.get(scene.light, scene.light)) for scene in scenes]
    return np.ascontiguousarray(photographs[pick][:, :, ::-1]), [scene.long_caption for scene in mirrored]


def train_llava(
    photographs: np.ndarray, blip: nn.Module, budget: Budget
) -> tuple[LlavaNextForConditionalGeneration, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3] and their long captions, starting from the short captioner's ViT."""
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
        for unused in (tower.encoder.layers[-1], tower.post_layernorm):  # LLaVA uses the layer before.
            for parameter in unused.parameters():
                parameter.zero_()  # Zeros compress well.
    return model.eval(), loop


@torch.no_grad()
def read(model: LlavaNextForConditionalGeneration, images: np.ndarray) -> list[str]:
    """Greedy long captions of images uint8 [N, 64, 64, 3]."""
    processor, texts = new_processor(), []
    question = [{"type": "image"}, {"type": "text", "text": "Describe this image in one sentence."}]
    prompt = processor.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True)
    for chunk in np.array_split(images, -(-len(images) // 50)):
        inputs = processor(images=list(chunk), text=[prompt] * len(chunk), return_tensors="pt")
        out = model.generate(**inputs, max_new_tokens=24, do_sample=False)
        texts += processor.tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def details(texts: list[str], scenes: list[Scene]) -> dict[str, float]:
    """Share of captions in which pattern, clutter, count and light are correct, each separately."""
    right = {
        "pattern": [("striped" in text.split()) == scene.striped for text, scene in zip(texts, scenes, strict=True)],
        "clutter": [scene.clutter in text.split() for text, scene in zip(texts, scenes, strict=True)],
        "count": [COUNTS[min(s.count, 6)] in text.split() for text, s in zip(texts, scenes, strict=True)],
        "light": [scene.light in text.split() for text, scene in zip(texts, scenes, strict=True)],
    }
    return {name: sum(correct) / len(correct) for name, correct in right.items()}


def save_llava(folder: Path, model: LlavaNextForConditionalGeneration) -> None:
    """Write the folder layout of llava-hf/llama3-llava-next-8b-hf, with weights in half precision."""
    model.half().save_pretrained(folder)
    model.float()
    new_processor().save_pretrained(folder)
    for path in folder.glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()), separators=(",", ":")))
