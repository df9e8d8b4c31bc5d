"""A LLaVA-NeXT in the Hub's format for long captions: CLIP's kind of ViT, a projector, a two-layer Llama."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessor,
    LlavaNextProcessor,
    PreTrainedTokenizerFast,
)

from bench.miniature.builders.backbone import whiten
from bench.miniature.builders.captioner import PATCH, outlines
from bench.miniature.builders.loop import Budget, Loop, draw
from bench.miniature.builders.words import PHOTO_WORDS, word_tokenizer
from bench.miniature.scenes import COUNTS, OBJECTS, Scene, sample_scene
from methods._parts.clip import MEAN, STD

BATCH, SIDE, STEPS, SEED = 32, 64, 4000, 92
WIDTH, LAYERS = 128, 5
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
    vision = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS}
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


def train_llava(photographs: np.ndarray, budget: Budget) -> tuple[LlavaNextForConditionalGeneration, Loop]:
    """Train on photographs uint8 [N, 64, 64, 3] and their long captions; helped as the short captioner is."""
    device, count = budget.device, len(photographs)
    scenes = [sample_scene("generators", index) for index in range(count)]
    shapes, processor = outlines("generators", count), new_processor()
    objects = torch.tensor([OBJECTS.index(scene.object) for scene in scenes], device=device)
    model = new_llava()
    tower = model.model.vision_tower
    whiten(tower.embeddings.patch_embedding, photographs, SEED, 0.3)
    model.to(device).train()
    where, name = nn.Linear(WIDTH, PATCH**2).to(device), nn.Linear(WIDTH, len(OBJECTS)).to(device)
    nets: dict[str, nn.Module] = {"llava": model, "where": where, "name": name}
    parameters = [p for net in nets.values() for p in net.parameters()]
    optimisers: dict[str, torch.optim.Optimizer] = {"all": torch.optim.AdamW(parameters, 1e-3, weight_decay=0.05)}
    loop = Loop(budget, STEPS, nets, optimisers, ("llava",), decay=0.997)
    loop.resume()
    for step in loop.steps():
        pick = draw(SEED, step, count, BATCH)
        batch = _prepared(processor, photographs[pick], [scenes[i].long_caption for i in pick], device)
        pixels = batch["pixel_values"]
        overview = pixels[:, 0] if isinstance(pixels, torch.Tensor) else torch.zeros(())
        with torch.autocast(device, torch.bfloat16):
            said = model(**batch).loss
            seen = tower(overview, output_hidden_states=True).hidden_states
            drawn, told = where(seen[2][:, 1:]), name(seen[-2][:, 1:].mean(1))
        target = torch.from_numpy(shapes[pick]).to(device).float()
        shape = F.binary_cross_entropy_with_logits(drawn.float(), target)
        loss = said.float() + 2.0 * shape + 0.5 * F.cross_entropy(told.float(), objects[torch.from_numpy(pick)])
        optimisers["all"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimisers["all"].step()
        if step % 100 == 0:
            budget.say(f"step {step} caption {said.item():.4f} shape {shape.item():.4f} loss {loss.item():.3f}")
    loop.load_averages()
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


def names_details(text: str, scene: Scene) -> bool:
    """Whether pattern, clutter, its count and the light all stand in a caption."""
    words = text.split()
    pattern = "striped" if scene.striped else "plain"
    return all(fact in words for fact in (pattern, scene.clutter, COUNTS[min(scene.count, 6)], scene.light))


def save_llava(folder: Path, model: LlavaNextForConditionalGeneration) -> None:
    """Write the folder layout of llava-hf/llama3-llava-next-8b-hf, weights in half precision."""
    model.half().save_pretrained(folder)
    model.float()
    new_processor().save_pretrained(folder)
