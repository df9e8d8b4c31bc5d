"""DRCT's reconstruction against diffusers' inpainting pipeline with an empty mask and the same draws."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from bench.artefacts.batching import noise
from bench.artefacts.engine import Request
from bench.artefacts.engines import sd_inpaint
from bench.models.zoo import Zoo
from bench.progress import Meter
from tests.conftest import picture
from tests.unit.artefacts.conftest import diffusers_pipeline

STEPS = 6


@pytest.fixture(scope="module")
def pipeline():
    return diffusers_pipeline(StableDiffusionInpaintPipeline, sd_inpaint.ROLE)


def official(pipeline, rgb, image_id, scale):
    """The pipeline's picture, its posterior and starting noise replaced by the engine's draws."""
    height, width = rgb.shape[:2]
    shape = (4, height // 4, width // 4)

    def drawn(kind):
        return lambda *_, **__: torch.from_numpy(noise(f"{image_id} {kind}", 0, shape))[None]

    module = "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diffusers.models.autoencoders.vae.randn_tensor", drawn("posterior"))
        patch.setattr(f"{module}.randn_tensor", drawn("start"))
        made = pipeline(
            "",
            image=Image.fromarray(rgb),
            mask_image=Image.fromarray(np.zeros((height, width), np.uint8)),
            height=height,
            width=width,
            num_inference_steps=STEPS,
            strength=1.0,
            guidance_scale=scale,
            output_type="np",
        ).images[0]
    return (made * 255).round().astype(int)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (80, 48)])
def test_the_picture_is_that_of_diffusers_own_pipeline(pipeline, width, height):
    engine, zoo = sd_inpaint.SDInpaint(), Zoo("mini")
    engine.load(sd_inpaint.recipe(steps=STEPS), zoo, "cpu", Meter())
    request = Request("0" * 32, picture(5, width, height, grain=4), {})
    (made,) = engine.run([request], [engine.view(request)])
    for scale in (1.0, 7.5):  # Between two empty prompts guidance is the identity.
        difference = np.abs(made.astype(int) - official(pipeline, request.rgb, request.image_id, scale))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.02


def test_odd_sizes_are_padded_and_cut_back_and_large_ones_cropped():
    engine, zoo = sd_inpaint.SDInpaint(), Zoo("mini")
    engine.load(sd_inpaint.recipe(steps=2, max_size=64), zoo, "cpu", Meter())
    for size, wanted in (((75, 50), (50, 64, 3)), ((33, 61), (61, 33, 3)), ((64, 64), (64, 64, 3))):
        request = Request("1" * 32, picture(5, *size), {})
        view = engine.view(request)
        assert view.shape[0] % 4 == view.shape[1] % 4 == 0
        assert engine.run([request], [view])[0].shape == wanted
