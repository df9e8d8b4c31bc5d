"""LaRE's map against diffusers' own scheduler, VAE and UNet with the same draws."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from PIL import Image
from transformers import AutoTokenizer, CLIPTextModel

from bench.artefacts.batching import noise
from bench.artefacts.engine import Request
from bench.artefacts.engines import blip, latent_error
from bench.models.zoo import Zoo
from bench.progress import Meter
from tests.conftest import picture


def official(rgb, image_id, prompt, ensemble, t):
    """The published procedure on the miniature's weights: one posterior draw, a noise a member, no engine of ours."""
    folder = Zoo("mini").folder(latent_error.ROLE)
    vae, unet = (
        kind.from_pretrained(folder, subfolder=part, low_cpu_mem_usage=False, torch_dtype=torch.float32)
        for kind, part in ((AutoencoderKL, "vae"), (UNet2DConditionModel, "unet"))
    )
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    squashed = np.asarray(Image.fromarray(rgb).resize((64, 64), Image.Resampling.BICUBIC))
    x = torch.from_numpy(squashed.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    shape, length = (4, 16, 16), tokenizer.model_max_length
    with torch.no_grad():
        posterior = vae.encode(x).latent_dist
        clean = posterior.mean + posterior.std * torch.from_numpy(noise(f"{image_id} posterior", 0, shape))[None]
        clean = clean * vae.config.scaling_factor
        drawn = torch.stack([torch.from_numpy(noise(f"{image_id} {k}", 0, shape)) for k in range(ensemble)])
        times = torch.full((ensemble,), t)
        noisy = scheduler.add_noise(clean.expand(ensemble, -1, -1, -1), drawn, times)
        ids = tokenizer([prompt], padding="max_length", max_length=length, return_tensors="pt").input_ids
        states = text(ids).last_hidden_state.expand(ensemble, -1, -1)
        predicted = unet(noisy, times, encoder_hidden_states=states).sample
    return (predicted - drawn).square().mean(0).numpy()


@pytest.mark.parametrize("size", [(64, 64), (80, 50)])
@pytest.mark.parametrize("captioned", [False, True])
def test_the_map_is_the_published_procedures(size, captioned):
    rgb, image_id, prompt = picture(3, *size), "a" * 32, "a red disc on grass" if captioned else ""
    caption = blip.recipe() if captioned else None
    recipe = latent_error.recipe(caption=caption, size=64, timestep=200, ensemble=3).bind("source")
    engine = latent_error.LatentError()
    engine.load(recipe, Zoo("mini"), "cpu", Meter())
    request = Request(image_id, rgb, {"caption": prompt} if captioned else {})
    (found,) = engine.run([request], [engine.view(request)])
    assert found.shape == (4, 16, 16)
    assert found.dtype == np.float32
    assert found == pytest.approx(official(rgb, image_id, prompt, 3, 200), abs=1e-4)
