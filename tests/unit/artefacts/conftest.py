"""diffusers' own pipelines on the miniature's weights."""

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.utils import logging
from transformers import AutoTokenizer, CLIPTextModel

from bench.models.zoo import Zoo


def diffusers_pipeline(kind, role):
    """A pipeline class with the parts of a role in single precision, a DDIM scheduler and no safety checker."""
    logging.disable_progress_bar()
    folder = Zoo("mini").folder(role)
    kept = {"low_cpu_mem_usage": False, "torch_dtype": torch.float32}
    made = kind(
        vae=AutoencoderKL.from_pretrained(folder, subfolder="vae", **kept),
        unet=UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **kept),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
        tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=DDIMScheduler.from_config(DDIMScheduler.load_config(folder, subfolder="scheduler")),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made
