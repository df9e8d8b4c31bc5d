"""The text-to-image model in Stable Diffusion's folder format: UNet, text encoder, word tokenizer, scheduler."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, UNet2DConditionModel
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from tools.miniature.loop import Budget, Loop, draw
from tools.miniature.scenes import sample_scene
from tools.miniature.vae import latents
from tools.miniature.words import PHOTO_WORDS, tokenize, word_tokenizer

BATCH, TOKENS = 64, 20
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


def new_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word of the photographs' captions, padded with the end token like CLIP's tokenizer."""
    return word_tokenizer(PHOTO_WORDS, TOKENS, "<|startoftext|>", "<|endoftext|>", "<|endoftext|>")


def new_text_encoder(vocabulary: int, seed: int) -> CLIPTextModel:
    """A two-layer CLIP text model of width 64, trained with the UNet."""
    torch.manual_seed(seed)
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


def new_unet(seed: int) -> UNet2DConditionModel:
    """A two-level UNet on 16 × 16 latents with cross-attention at 8 × 8."""
    torch.manual_seed(seed + 1)
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


def prompts(count: int, rng_seed: int) -> list[str]:
    """One training caption per image of the generators' stream: short 65 %, long 25 %, empty 10 %."""
    choice = np.random.default_rng(rng_seed).random(count)
    scenes = [sample_scene("generators", index) for index in range(count)]
    return [
        "" if c < 0.10 else scene.long_caption if c < 0.35 else scene.caption
        for c, scene in zip(choice, scenes, strict=True)
    ]


@dataclass(frozen=True)
class Course:
    """The training plan of one denoiser: ``lr`` is the peak learning rate; ``learns_text`` trains the text encoder too.

    ``prediction`` is ``epsilon`` or ``v_prediction``. ``inpaint`` adds a mask and the masked image's latents as input
    channels, as runwayml/stable-diffusion-inpainting has them.
    """

    steps: int
    seed: int
    lr: float = 1e-3
    learns_text: bool = True
    prediction: str = "epsilon"
    inpaint: bool = False


COURSES = {
    "sdv14": Course(5000, 14),
    "sdv15": Course(600, 15, lr=3e-4, learns_text=False),
    "wukong": Course(3000, 16),
    "sdv1_inpaint": Course(1500, 17, lr=4e-4, learns_text=False, inpaint=True),
    "sdv21": Course(1200, 21, lr=5e-4, prediction="v_prediction"),
    "midjourney": Course(1400, 61),
}


def start_from(folder: Path, course: Course) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """UNet and text encoder of a trained pipeline; for inpainting, the UNet's input is extended with zero weights."""
    kept = UNet2DConditionModel.from_pretrained(folder / "unet").float()
    text = CLIPTextModel.from_pretrained(folder / "text_encoder").float()
    if not course.inpaint:
        return kept, text
    unet = UNet2DConditionModel.from_config({**kept.config, "in_channels": 9})
    state = kept.state_dict()
    extra = torch.zeros(len(state["conv_in.weight"]), 5, 3, 3)
    unet.load_state_dict({**state, "conv_in.weight": torch.cat([state["conv_in.weight"], extra], 1)})
    return unet, text


def masks(count: int, side: int, seed: int) -> np.ndarray:
    """Masks float32 [count, side, side], 1 = to be painted: empty 30 %, full 15 %, else a rectangle."""
    rng = np.random.default_rng([seed, 9])
    planes = np.zeros((count, side, side), np.float32)
    for mask, kind in zip(planes, rng.random(count), strict=True):
        if kind > 0.85:
            mask[:] = 1
        elif kind > 0.3:
            (top, left), (height, width) = rng.integers(0, side // 2, 2), rng.integers(side // 4, side, 2)
            mask[top : top + height, left : left + width] = 1
    return planes


@dataclass(frozen=True)
class _Inpainting:
    """The extra input of an inpainting UNet for every training image: [N, 5, 16, 16], the mask and scaled latents."""

    extra: torch.Tensor

    @classmethod
    def of(cls, vae: AutoencoderKL, images: np.ndarray, course: Course, device: str) -> _Inpainting:
        small = masks(len(images), 16, course.seed)
        keep = 1 - small.repeat(4, 1).repeat(4, 2)[..., None]
        mean, _ = latents(vae, (127.5 + (images - 127.5) * keep).round().astype(np.uint8), device)
        mask = torch.from_numpy(small).to(device)[:, None]
        return cls(torch.cat([mask, mean * vae.config.scaling_factor], 1))


def train_denoiser(
    nets: tuple[UNet2DConditionModel, CLIPTextModel],
    vae: AutoencoderKL,
    images: np.ndarray,
    course: Course,
    budget: Budget,
) -> Loop:
    """Train a UNet, and in some courses its text encoder, on VAE latents of photographs uint8 [N, 64, 64, 3]."""
    device, seed = budget.device, course.seed
    mean, std = latents(vae, images, device)
    tokenizer = new_tokenizer()
    ids = torch.stack([tokenize(tokenizer, prompts(len(images), seed + e), TOKENS) for e in range(4)]).to(device)
    unet, text = nets[0].to(device).train(), nets[1].to(device).requires_grad_(course.learns_text)
    extra = _Inpainting.of(vae, images, course, device).extra if course.inpaint else None
    parameters = [p for net in (unet, text) for p in net.parameters() if p.requires_grad]
    optimisers: dict[str, torch.optim.Optimizer] = {"unet": torch.optim.AdamW(parameters, course.lr, weight_decay=1e-2)}
    loop = Loop(budget, course.steps, {"unet": unet, "text": text}, optimisers, ("unet", "text"), decay=0.9985)
    loop.resume()
    alphas = DDIMScheduler(**SCHEDULE).alphas_cumprod.to(device)
    for step in loop.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        pick = torch.from_numpy(draw(seed, step, len(images), BATCH)).to(device)
        z = (mean[pick] + std[pick] * torch.randn_like(std[pick])) * vae.config.scaling_factor
        t, noise = torch.randint(0, 1000, (BATCH,), device=device), torch.randn_like(z)
        a, s = alphas[t].view(-1, 1, 1, 1).sqrt(), (1 - alphas[t]).view(-1, 1, 1, 1).sqrt()
        x = a * z + s * noise
        with torch.autocast(device, torch.bfloat16):
            condition = text(ids[step % 4][pick]).last_hidden_state
            predicted = unet(x if extra is None else torch.cat([x, extra[pick]], 1), t, condition).sample
        loss = F.mse_loss(predicted.float(), noise if course.prediction == "epsilon" else a * noise - s * z)
        optimisers["unet"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimisers["unet"].step()
        if step % 100 == 0:
            budget.say(f"step {step} loss {loss.item():.4f}")
    loop.load_averages()
    for net in nets:
        net.requires_grad_(False).eval()
    return loop


def save_pipeline(
    folder: Path, vae: AutoencoderKL, unet: UNet2DConditionModel, text: CLIPTextModel, prediction: str = "epsilon"
) -> None:
    """Write the folder layout of CompVis/stable-diffusion-v1-4, with weights in half precision."""
    for name, module in (("vae", vae), ("unet", unet), ("text_encoder", text)):
        module.half().save_pretrained(folder / name)
        module.float()
        config = folder / name / "config.json"  # diffusers writes the model's path on this machine.
        kept = {k: v for k, v in json.loads(config.read_text(encoding="utf-8")).items() if k != "_name_or_path"}
        config.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    new_tokenizer().save_pretrained(folder / "tokenizer")
    schedule = SCHEDULE | {"prediction_type": prediction}
    PNDMScheduler(**schedule, skip_prk_steps=True).save_pretrained(folder / "scheduler")
    # As in SD's file: PNDM ignores this setting, but without it DDIMScheduler.from_config would clip latents.
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
