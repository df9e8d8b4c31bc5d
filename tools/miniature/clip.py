"""Small CLIPs on the wider world: ViTs with 7 × 7 patches on 56 px in the Hub's format, ResNets with OpenAI's keys."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
)

from bench.nets.clip_resnet import ClipResNet
from bench.nets.clip_resnet import Shape as ClipShape
from bench.nets.clip_text import from_transformers
from methods._shared.clip import MEAN, STD
from tools.miniature.backbone import CLASSES, grouped_loss, labels, whiten, window
from tools.miniature.loop import Budget, Loop, draw
from tools.miniature.scenes import sample_scene
from tools.miniature.wide import caption
from tools.miniature.words import WIDE_WORDS, tokenize, word_tokenizer

BATCH, SIDE, TOKENS = 96, 56, 12
#: Steps, seed, vision width, layers, patch size, width of the embedding; each stands for one of OpenAI's models.
PLANS = {"clip_vit_l14": (3000, 81, 128, 4, 8, 128), "clip_vit_b32": (1200, 82, 64, 3, 8, 64)}
#: Steps, seed, batch and image tower of CLIP's ResNets: 14 × 14 cells at layer3, 7 × 7 at layer4.
RESNETS = {"clip_rn50": (1200, 83, 48, ClipShape((1, 1, 1, 1), 16, 8, SIDE, 128, (2, 1, 1, 1, 2, 2)))}


class ResNetPair(nn.Module):
    """A CLIP whose image encoder is a ResNet."""

    def __init__(self, name: str) -> None:
        super().__init__()
        _, seed, _, shape = RESNETS[name]
        torch.manual_seed(seed)
        self.visual = ClipResNet(shape)
        self.text = CLIPTextModelWithProjection(CLIPTextConfig(**_text(shape.output)))
        self.logit_scale = nn.Parameter(torch.tensor(2.6592))


#: A CLIPModel of transformers, which is not typed, or a :class:`ResNetPair`.
Model = Any


def _text(projection: int) -> dict[str, int]:
    marks = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    size = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    words = {"vocab_size": len(new_tokenizer()), "max_position_embeddings": TOKENS}
    return {**size, **marks, **words, "projection_dim": projection}


def new_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word of the wider world's captions."""
    return word_tokenizer(WIDE_WORDS, TOKENS, "<|startoftext|>", "<|endoftext|>", "<|endoftext|>")


def new_clip(name: str) -> CLIPModel:
    """The untrained model, with quick GELU and pooling at the end token like OpenAI's models."""
    _, seed, width, layers, patch, projection = PLANS[name]
    torch.manual_seed(seed)
    vision = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    return CLIPModel(
        CLIPConfig(
            text_config=_text(projection),
            vision_config={
                **vision,
                "projection_dim": projection,
                "num_attention_heads": 4,
                "image_size": SIDE,
                "patch_size": patch,
            },
            projection_dim=projection,
        )
    )


def prepared(images: np.ndarray, device: str) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float [B, 3, H, W], normalised by CLIP's mean and standard deviation."""
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255 - mean) / std


def _tokens(count: int) -> torch.Tensor:
    """Two captions per image, without and with its style: int64 [2, count, TOKENS]."""
    tokenizer = new_tokenizer()
    plain = [sample_scene("wide", index).caption for index in range(count)]
    styled = [caption(index) for index in range(count)]
    return torch.stack([tokenize(tokenizer, texts, TOKENS) for texts in (plain, styled)])


def _embeddings(model: Model, x: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    if isinstance(model, ResNetPair):
        return model.visual(x), model.text(tokens).text_embeds
    image = model.visual_projection(model.vision_model(x).pooler_output)
    return image, model.text_projection(model.text_model(tokens).pooler_output)


def _begun(name: str, images: np.ndarray) -> tuple[Model, int, int, int, int]:
    """The untrained model, its first layer fitted to the images; steps, seed, batch size and width of the embedding."""
    if name in RESNETS:
        steps, seed, batch, shape = RESNETS[name]
        pair = ResNetPair(name)
        whiten(cast(nn.Conv2d, pair.visual.get_submodule("conv1")), images, seed)
        return pair, steps, seed, batch, shape.output
    steps, seed, *_, width = PLANS[name]
    model = new_clip(name)
    whiten(model.vision_model.embeddings.patch_embedding, images, seed, 0.3)
    return model, steps, seed, BATCH, width


def train_clip(name: str, images: np.ndarray, budget: Budget) -> tuple[Model, Loop]:
    """Train on pictures uint8 [N, 64, 64, 3] of the wider world.

    The loss is InfoNCE plus that of a linear head that predicts the facts; the head is dropped at the end. If images of
    a batch share a caption, the target is spread over all of them.
    """
    device, tokens = budget.device, _tokens(len(images)).to(budget.device)
    model, steps, seed, size, width = _begun(name, images)
    wanted = labels(len(images)).to(device)
    model.to(device).train()
    head = nn.Linear(width, CLASSES).to(device)
    nets: dict[str, nn.Module] = {"clip": model, "head": head}
    parameters = [p for net in nets.values() for p in net.parameters()]
    optimisers: dict[str, torch.optim.Optimizer] = {"all": torch.optim.AdamW(parameters, 1e-3, weight_decay=0.05)}
    loop = Loop(budget, steps, nets, optimisers, ("clip",), decay=0.997)
    loop.resume()
    for step in loop.steps():
        pick = torch.from_numpy(draw(seed, step, len(images), size)).to(device)
        texts = tokens[step % 2][pick]
        with torch.autocast(device, torch.bfloat16):
            x = prepared(window(images[pick.cpu().numpy()], SIDE, step), device)
            image, text = _embeddings(model, x, texts)
            named = head(image)
        scale = model.logit_scale.exp().clamp(max=100)
        logits = scale * F.normalize(image.float(), dim=1) @ F.normalize(text.float(), dim=1).T
        same = (texts[:, None] == texts[None]).all(2).float()
        target = same / same.sum(1, keepdim=True)
        contrast = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        loss = contrast + grouped_loss(named, wanted[pick])
        optimisers["all"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimisers["all"].step()
        if step % 100 == 0:
            budget.say(f"step {step} contrast {contrast.item():.3f} loss {loss.item():.3f}")
    loop.load_averages()
    return model.eval(), loop


@torch.no_grad()
def retrieval(model: Model, images: np.ndarray, first: int, device: str) -> float:
    """Share of images whose caption with style is the nearest of 100; ``first`` is the number of the first picture."""
    edge, tokenizer, right = (images.shape[1] - SIDE) // 2, new_tokenizer(), 0
    for start in range(0, len(images), 100):
        texts = [caption(first + start + i) for i in range(100)]
        x = prepared(images[start : start + 100, edge : edge + SIDE, edge : edge + SIDE], device)
        image, text = _embeddings(model, x, tokenize(tokenizer, texts, TOKENS).to(device))
        best = (F.normalize(image, dim=1) @ F.normalize(text, dim=1).T).argmax(1).tolist()
        right += sum(texts[b] == texts[i] for i, b in enumerate(best))
    return right / len(images)


def save_clip(folder: Path, model: Model) -> None:
    """Write the folder layout of openai/clip-vit-large-patch14 or timm/resnet50_clip.openai, in half precision."""
    if isinstance(model, ResNetPair):
        folder.mkdir(parents=True, exist_ok=True)
        visual = {f"visual.{name}": t for name, t in model.visual.state_dict().items() if "num_batches" not in name}
        state = {**visual, **from_transformers(model.text.state_dict())}
        save_file({k: t.half().contiguous() for k, t in state.items()}, folder / "open_clip_model.safetensors")
        shape = {**asdict(model.visual.shape), "text_heads": model.text.config.num_attention_heads}
        (folder / "shape.json").write_text(json.dumps(shape, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        new_tokenizer().save_pretrained(folder)
        return
    model.half().save_pretrained(folder)
    model.float()
    new_tokenizer().save_pretrained(folder)
    CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, image_mean=MEAN, image_std=STD
    ).save_pretrained(folder)
