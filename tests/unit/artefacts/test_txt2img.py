"""SemGIR's regeneration against diffusers' own pipeline with a DDIM scheduler and the same starting noise."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from bench.artefacts.batching import noise
from bench.artefacts.engine import Request
from bench.artefacts.engines import blip, txt2img
from bench.models.zoo import Zoo
from bench.progress import Meter
from tests.conftest import picture
from tests.unit.artefacts.conftest import diffusers_pipeline

STEPS, CAPTIONS = 6, ("a red disc on grass", "a blue star on snow")


@pytest.mark.parametrize("scale", [7.5, 1.0])
def test_images_are_the_pipelines(scale):
    recipe = txt2img.recipe(blip.recipe(), steps=STEPS, guidance_scale=scale, size=64).bind("source")
    engine, meter = txt2img.Txt2Img(), Meter()
    engine.load(recipe, Zoo("mini"), "cpu", meter)
    requests = [Request(f"{i:032x}", picture(i), {"caption": text}) for i, text in enumerate(CAPTIONS)]
    made = engine.run(requests, [engine.view(request) for request in requests])
    assert meter.forwards == len(CAPTIONS) * engine.forwards(recipe)
    pipeline = diffusers_pipeline(StableDiffusionPipeline, "sdv15")
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
