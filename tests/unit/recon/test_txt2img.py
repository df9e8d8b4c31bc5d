"""SemGIR's regeneration against diffusers' own pipeline with a DDIM scheduler and the same starting noise."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextModel

from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recon.batching import noise
from bench.recon.engine import Request
from bench.recon.engines import blip, txt2img
from tests.conftest import picture

STEPS, CAPTIONS = 6, ("a red disc on grass", "a blue star on snow")


@pytest.mark.parametrize("scale", [7.5, 1.0])
def test_images_are_the_pipelines(scale):
    recipe = txt2img.recipe(blip.recipe(), steps=STEPS, guidance_scale=scale, size=64).bind("source")
    engine, meter = txt2img.Txt2Img(), Meter()
    engine.load(recipe, Zoo("mini"), "cpu", meter)
    requests = [Request(f"{i:032x}", picture(i), {"caption": text}) for i, text in enumerate(CAPTIONS)]
    made = engine.run(requests, [engine.view(request) for request in requests])
    assert meter.forwards == len(CAPTIONS) * engine.forwards(recipe)
    folder = Zoo("mini").folder("sdv15")
    kept = {"low_cpu_mem_usage": False, "torch_dtype": torch.float32}
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(folder, subfolder="vae", **kept),
        unet=UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **kept),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
        tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=DDIMScheduler.from_config(DDIMScheduler.load_config(folder, subfolder="scheduler")),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    start = torch.stack([torch.from_numpy(noise(f"{r.image_id} start", 0, (4, 16, 16))) for r in requests])
    wanted = pipeline(
        list(CAPTIONS),
        height=64,
        width=64,
        num_inference_steps=STEPS,
        guidance_scale=scale,
        latents=start,
        output_type="np",
    ).images
    assert np.abs(np.stack(made).astype(float) - np.round(wanted * 255)).max() <= 1
