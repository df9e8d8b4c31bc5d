"""The text-to-image model in Stable Diffusion's own folder format: UNet, text encoder, word tokenizer, scheduler."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from bench.miniature.builders.loop import Budget, Loop, draw
from bench.miniature.builders.vae import latents
from bench.miniature.scenes import CLUTTER, COLOURS, GROUNDS, LIGHTS, OBJECTS, sample_scene

STEPS, BATCH, SEED = 5000, 64, 14
TOKENS = 20
#: Stable Diffusion v1's schedule; CompVis/stable-diffusion-v1-4:scheduler/scheduler_config.json.
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}
_WORDS = ("a", "an", "on", "with", "light", "from", "the", ",", "striped", "plain", "photo", "of")
_COUNTS = ("no", "one", "two", "three", "four", "five", "many")


def new_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word of the world's captions, begin and end marks, padded with the end mark as CLIP's is."""
    special = ("<|startoftext|>", "<|endoftext|>", "<unk>")
    words = (*special, *_WORDS, *_COUNTS, *OBJECTS, *COLOURS, *GROUNDS, *CLUTTER, *LIGHTS)
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", 0), ("<|endoftext|>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<unk>",
        model_max_length=TOKENS,
    )


def new_text_encoder(vocabulary: int) -> CLIPTextModel:
    """A two-layer CLIP text model, 64 wide; trained with the UNet."""
    torch.manual_seed(SEED)
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        projection_dim=64,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return CLIPTextModel(config)


def new_unet() -> UNet2DConditionModel:
    """A two-level UNet on 16 × 16 latents with cross-attention at 8 × 8."""
    torch.manual_seed(SEED + 1)
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(48, 96),
        layers_per_block=1,
        norm_num_groups=16,
        cross_attention_dim=64,
        attention_head_dim=4,
    )


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """Token ids int64 [N, TOKENS]."""
    encoded = tokenizer(texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt")
    ids: torch.Tensor = encoded.input_ids
    return ids


def prompts(count: int, rng_seed: int) -> list[str]:
    """One training caption an image of the generators' stream: short 65 %, long 25 %, empty 10 %."""
    choice = np.random.default_rng(rng_seed).random(count)
    scenes = [sample_scene("generators", index) for index in range(count)]
    return [
        "" if c < 0.10 else scene.long_caption if c < 0.35 else scene.caption
        for c, scene in zip(choice, scenes, strict=True)
    ]


def train_sd(
    vae: AutoencoderKL, images: np.ndarray, budget: Budget
) -> tuple[UNet2DConditionModel, CLIPTextModel, Loop]:
    """Train UNet and text encoder on the VAE's latents of photographs uint8 [N, 64, 64, 3]."""
    device = budget.device
    mean, std = latents(vae, images, device)
    scale = vae.config.scaling_factor
    tokenizer = new_tokenizer()
    ids = torch.stack([tokenize(tokenizer, prompts(len(images), SEED + e)) for e in range(4)]).to(device)
    unet, text = new_unet().to(device), new_text_encoder(len(tokenizer)).to(device)
    parameters = [*unet.parameters(), *text.parameters()]
    optimisers: dict[str, torch.optim.Optimizer] = {"unet": torch.optim.AdamW(parameters, 1e-3, weight_decay=1e-2)}
    loop = Loop(budget, STEPS, {"unet": unet, "text": text}, optimisers, ("unet", "text"), decay=0.9985)
    loop.resume()
    alphas = DDIMScheduler(**SCHEDULE).alphas_cumprod.to(device)
    for step in loop.steps():
        torch.manual_seed(SEED * 1_000_003 + step)
        pick = torch.from_numpy(draw(SEED, step, len(images), BATCH)).to(device)
        z = (mean[pick] + std[pick] * torch.randn_like(std[pick])) * scale
        t, noise = torch.randint(0, 1000, (BATCH,), device=device), torch.randn_like(z)
        a = alphas[t].view(-1, 1, 1, 1)
        with torch.autocast(device, torch.bfloat16):
            condition = text(ids[step % 4][pick]).last_hidden_state
            predicted = unet(a.sqrt() * z + (1 - a).sqrt() * noise, t, condition).sample
        loss = F.mse_loss(predicted.float(), noise)
        optimisers["unet"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimisers["unet"].step()
        if step % 100 == 0:
            budget.say(f"step {step} loss {loss.item():.4f}")
    loop.load_averages()
    return unet.eval(), text.eval(), loop


def save_pipeline(folder: Path, vae: AutoencoderKL, unet: UNet2DConditionModel, text: CLIPTextModel) -> None:
    """Write the folder layout of CompVis/stable-diffusion-v1-4, weights in half precision."""
    for name, module in (("vae", vae), ("unet", unet), ("text_encoder", text)):
        module.half().save_pretrained(folder / name)
        module.float()
    new_tokenizer().save_pretrained(folder / "tokenizer")
    PNDMScheduler(**SCHEDULE, skip_prk_steps=True).save_pretrained(folder / "scheduler")
    # As in SD's own file: PNDM ignores it, but DDIMScheduler.from_config would clip latents without it.
    path = folder / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"clip_sample": False}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
