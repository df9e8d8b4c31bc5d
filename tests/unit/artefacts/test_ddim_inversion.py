import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextModel

from bench.artefacts.batching import make_chunk
from bench.artefacts.engine import Request
from bench.artefacts.engines.ddim_inversion import DDIMInversion, recipe
from bench.data.decode import decode
from bench.models.zoo import Zoo
from bench.progress import Meter
from tests.conftest import picture

STEPS = 5


def reference(folder, rgb, prompt=""):
    """The plain loop, one image at a time, with diffusers' own scheduler on the way back: decoded noise, and image."""
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", low_cpu_mem_usage=False).float()
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", low_cpu_mem_usage=False).float()
    text = CLIPTextModel.from_pretrained(folder / "text_encoder").float()
    tokens = AutoTokenizer.from_pretrained(folder / "tokenizer")(
        [prompt], padding="max_length", max_length=text.config.max_position_embeddings, return_tensors="pt"
    )
    scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
    scheduler.set_timesteps(STEPS)
    alphas = scheduler.alphas_cumprod
    with torch.no_grad():
        states = text(tokens.input_ids).last_hidden_state
        pixels = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        z = vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor
        level = scheduler.final_alpha_cumprod
        for t in reversed(scheduler.timesteps.tolist()):
            noise = unet(z, t, states).sample
            clean = (z - (1 - level).sqrt() * noise) / level.sqrt()
            level = alphas[t]
            z = level.sqrt() * clean + (1 - level).sqrt() * noise
        noise = z
        for t in scheduler.timesteps:
            z = scheduler.step(unet(z, t, states).sample, t, z, eta=0.0).prev_sample
        decoded = [vae.decode(x / vae.config.scaling_factor).sample[0].permute(1, 2, 0) for x in (noise, z)]
    return [((out + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy() for out in decoded]


def test_the_reconstruction_is_that_of_a_plain_loop():
    zoo, engine = Zoo("mini"), DDIMInversion()
    engine.load(recipe(STEPS, 64).bind("source").resolve({"sdv1": zoo.hash("sdv1")}), zoo, "cpu", Meter())
    images = {f"{n:032x}": picture(n, 64, 64, grain=4) for n in range(3)}
    made = make_chunk(engine, [Request(name, rgb, {}) for name, rgb in images.items()])
    for name, rgb in images.items():
        difference = np.abs(decode(made[name]).rgb.astype(int) - reference(zoo.folder("sdv1"), rgb)[1])
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01
