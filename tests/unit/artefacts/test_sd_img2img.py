"""SARE's reconstruction against diffusers' own pipeline, given the same posterior draw and noise."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline

from bench.artefacts.batching import noise
from bench.artefacts.engine import Request
from bench.artefacts.engines import blip, sd_img2img
from bench.artefacts.geometry import fit_long_side
from bench.models.zoo import Zoo
from bench.nets import ddim
from bench.nets.latent_diffusion import LatentDiffusion
from bench.progress import Meter
from bench.recipe import SOURCE
from tests.conftest import picture
from tests.unit.artefacts.conftest import diffusers_pipeline

CAPTION = "a red star on grass"
STEPS = 12


@pytest.fixture(scope="module")
def folder():
    return Zoo("mini").folder("sdv1")


@pytest.fixture(scope="module")
def pipeline():
    return diffusers_pipeline(StableDiffusionImg2ImgPipeline, "sdv1")


def official(pipeline, rgb, strength, draws, prompt):
    """The pipeline's floats in −1…1, its two draws replaced by ours, in the order in which it draws them."""
    queue = [torch.from_numpy(draw)[None] for draw in draws]

    def drawn(shape, **_):
        return queue.pop(0).reshape(shape)

    pixels = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diffusers.models.autoencoders.vae.randn_tensor", drawn)
        module = "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img"
        patch.setattr(f"{module}.randn_tensor", drawn)
        with torch.no_grad():
            out = pipeline(
                prompt,
                image=pixels,
                strength=strength,
                num_inference_steps=STEPS,
                guidance_scale=7.5,
                output_type="latent",
            ).images
            made = pipeline.vae.decode(out / pipeline.vae.config.scaling_factor).sample
    assert queue == []
    return made


@pytest.mark.parametrize(("width", "height"), [(64, 64), (80, 48), (75, 50), (40, 90)])
@pytest.mark.parametrize("strength", [0.3, 0.5, 1.0])
def test_the_floats_are_those_of_diffusers_own_pipeline(folder, pipeline, width, height, strength):
    rgb = fit_long_side(picture(3, width, height, grain=4), 64, 8)
    model = LatentDiffusion(folder, "cpu")
    shape = model.latent_shape(rgb)
    draws = [noise(f"x {kind}", 0, shape) for kind in ("posterior", "forward")]
    times = ddim.timesteps(STEPS, model.train_steps, model.offset)[: max(1, int(STEPS * strength))]
    with torch.no_grad():
        clean = model.encode([rgb], model.tensor(draws[:1]))
        start = ddim.diffuse(clean, model.tensor(draws[1:]), model.alphas[times[-1]])
        latents = ddim.sample(start, model.predictor([CAPTION], 7.5), times, model.alphas, model.final_alpha)
        ours = model.vae.decode(latents / model.vae.config.scaling_factor).sample
    assert (ours - official(pipeline, rgb, strength, draws, CAPTION)).abs().max() <= 1e-4


def test_the_engine_draws_per_image_and_rounds_the_same_floats(folder, pipeline):
    zoo, meter, engine = Zoo("mini"), Meter(), sd_img2img.SDImg2Img()
    recipe = sd_img2img.recipe(blip.recipe(), steps=STEPS, long_side=64)
    engine.load(recipe, zoo, "cpu", meter)
    requests = [Request(f"{n:032x}", picture(n, 64, 64, grain=4), {"caption": CAPTION}) for n in range(2)]
    made = engine.run(requests, [engine.view(request) for request in requests])
    assert meter.forwards == 2 * engine.forwards(recipe) == 2 * (2 * 6 + 2)
    for request, rgb in zip(requests, made, strict=True):
        draws = [noise(f"{request.image_id} {kind}", 0, (4, 16, 16)) for kind in ("posterior", "forward")]
        floats = official(pipeline, request.rgb, 0.5, draws, CAPTION)[0].permute(1, 2, 0)
        wanted = ((floats + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
        difference = np.abs(rgb.astype(int) - wanted)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_half_strength_of_fifty_steps_is_25_steps_from_481():
    recipe = sd_img2img.recipe(None)
    assert sd_img2img.steps_taken(recipe) == 25
    times = ddim.timesteps(50, 1000, 1)[:25]
    assert (times[-1], times[0]) == (481, 1)
    assert sd_img2img.SDImg2Img().forwards(recipe) == 27


def test_the_caption_and_its_recipe_are_part_of_the_key():
    with_caption, without = sd_img2img.recipe(blip.recipe()), sd_img2img.recipe(None)
    assert with_caption.key != without.key
    assert with_caption.key != sd_img2img.recipe(blip.recipe(max_new_tokens=5)).key
    assert with_caption.roles() == {"sdv1", "blip"}
    assert "guidance_scale" not in without.params
    assert [r.engine for r in with_caption.bind(SOURCE).closure()] == ["blip", "sd_img2img"]
