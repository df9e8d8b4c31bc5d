"""A latent diffusion model from a folder in Stable Diffusion's format: VAE, UNet, text encoder, noise schedule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTextModel
from transformers.utils import logging

from bench.errors import UserError
from bench.nets.ddim import NoisePredictor
from bench.nets.hot import Hot
from bench.nets.pretrained import load_pretrained, load_tokenizer
from bench.numerics import REFERENCE, Numerics
from bench.numerics import dtype as dtype_of

# The progress bars of transformers would interrupt the run's own output, and loading a folder takes only a moment.
logging.disable_progress_bar()

RGB = NDArray[np.uint8]


def _scheduler(folder: Path) -> Any:  # noqa: ANN401 - diffusers ships no types
    try:
        return DDIMScheduler.from_pretrained(folder)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{folder} has no noise schedule.", f"{reason}.", "Copy the model's scheduler/scheduler_config.json there."
        ) from error


def _unet(model: Any) -> Callable[..., Tensor]:  # noqa: ANN401 - diffusers ships no types
    def noise(x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        out: Tensor = model(x, t, encoder_hidden_states=condition, return_dict=False)[0]
        return out

    return noise


def _moments(vae: Any) -> Callable[..., Tensor]:  # noqa: ANN401 - as above
    def encode(pixels: Tensor) -> Tensor:
        moments: Tensor = vae.encoder(pixels)
        return moments if vae.quant_conv is None else vae.quant_conv(moments)

    return encode


def _pixels(vae: Any) -> Callable[..., Tensor]:  # noqa: ANN401 - as above
    def decode(latents: Tensor) -> Tensor:
        pixels: Tensor = vae.decoder(latents if vae.post_quant_conv is None else vae.post_quant_conv(latents))
        return pixels

    return decode


class LatentDiffusion:
    """Encode, decode and predict noise; the same code for the miniature's folder and CompVis/stable-diffusion-v1-4.

    Timestep offset, final alpha and prediction type are those of the scheduler's configuration; its class is ignored.
    In bf16 or fp16, UNet and text encoder run in that precision; the VAE, whose fine grain is what detectors see, in
    fp16 on a GPU (as many bits as TF32) and else in single precision. Latents and everything between the networks are
    in single precision. On a GPU, unless results must be exact, networks are compiled for frequent shapes. Raises
    UserError if a part cannot be loaded.
    """

    def __init__(self, folder: Path, device: str, numerics: Numerics = REFERENCE) -> None:
        half = numerics.half

        def load(kind: Any, subfolder: str, dtype: torch.dtype) -> Any:  # noqa: ANN401 - diffusers ships no types
            model = load_pretrained(kind, folder / subfolder, low_cpu_mem_usage=False, torch_dtype=dtype).to(device)
            return model.to(memory_format=torch.channels_last) if device == "cuda" and half else model

        self.device = device
        self._dtype = dtype_of(half)
        self._vae_dtype = torch.float16 if half and device == "cuda" else torch.float32
        self.vae = load(AutoencoderKL, "vae", self._vae_dtype)
        self.unet = load(UNet2DConditionModel, "unet", self._dtype)
        self.text_encoder = load_pretrained(CLIPTextModel, folder / "text_encoder", dtype=self._dtype).to(device)
        self.tokenizer = load_tokenizer(folder / "tokenizer")
        self._empty: Tensor | None = None
        compiles = device == "cuda" and not numerics.exact
        compiled = {"unet": (_unet, self.unet), "encoder": (_moments, self.vae), "decoder": (_pixels, self.vae)}
        after = {"unet": 10_000 * 64**2, "encoder": 4_000 * 512**2, "decoder": 4_000 * 64**2}
        self.networks = {n: Hot(f(model), after[n] * compiles) for n, (f, model) in compiled.items()}
        scheduler = _scheduler(folder / "scheduler")
        self.alphas: list[float] = scheduler.alphas_cumprod.double().tolist()
        self.final_alpha = float(scheduler.final_alpha_cumprod)
        self.train_steps: int = scheduler.config.num_train_timesteps
        self.offset: int = scheduler.config.steps_offset
        self.prediction: str = scheduler.config.prediction_type

    @property
    def multiple(self) -> int:
        """The VAE's downsampling factor; image sides must be multiples of it."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def condition(self, texts: list[str]) -> Tensor:
        """The text encoder's states for ``texts``: [B, tokens, width].

        Texts are encoded as many at a time as there are, so that no state depends on the other texts; the states of
        empty prompts alone are kept.
        """
        if any(texts):
            return self._encode_texts(texts)
        if self._empty is None or len(self._empty) != len(texts):
            self._empty = self._encode_texts(texts)
        return self._empty

    def _encode_texts(self, texts: list[str]) -> Tensor:
        length = self.tokenizer.model_max_length
        tokens = self.tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        states: Tensor = self.text_encoder(tokens.input_ids.to(self.device)).last_hidden_state
        return states

    def latent_shape(self, image: RGB) -> tuple[int, int, int]:
        """Channels, height and width of an image's latents; its sides must be multiples of :attr:`multiple`."""
        height, width = image.shape[:2]
        return self.vae.config.latent_channels, height // self.multiple, width // self.multiple

    def tensor(self, arrays: list[NDArray[np.float32]]) -> Tensor:
        """Arrays of equal shape, stacked to one batch on the device."""
        return torch.from_numpy(np.stack(arrays)).to(self.device)

    def encode(self, images: list[RGB], noise: Tensor | None = None) -> Tensor:
        """Images uint8 [H, W, 3] of equal size to scaled latents [B, C, H / f, W / f].

        They are the posterior's mode, or with ``noise`` of that shape, a draw from the posterior.
        """
        pixels = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.encode_pixels(pixels, noise)

    def encode_pixels(self, pixels: Tensor, noise: Tensor | None = None) -> Tensor:
        """As :meth:`encode`, from pixels float [B, 3, H, W] in −1…1."""
        posterior = DiagonalGaussianDistribution(self.networks["encoder"](pixels.to(self._vae_dtype)))
        latents: Tensor = posterior.mode() if noise is None else posterior.mean + posterior.std * noise
        return latents.float() * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> list[RGB]:
        """Scaled latents to images uint8 [H, W, 3], rounded."""
        pixels = self.decode_pixels(latents / self.vae.config.scaling_factor)
        images = ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        return list(images.cpu().numpy())

    def decode_pixels(self, latents: Tensor) -> Tensor:
        """Latents as the decoder takes them, that is without their scale, to pixels float [B, 3, H, W] near −1…1."""
        pixels: Tensor = self.networks["decoder"](latents.to(self._vae_dtype)).float()
        return pixels

    def noise(self, x: Tensor, t: int, condition: Tensor, given: Tensor | None = None) -> Tensor:
        """The predicted noise, also for a model that predicts v; ``given`` are more input channels (inpainting)."""
        inputs = x if given is None else torch.cat([x, given], 1)
        step = torch.full((), t, device=inputs.device)
        out = self.networks["unet"](inputs.to(self._dtype), step, condition).float()
        if self.prediction == "v_prediction":
            alpha = self.alphas[t]
            return alpha**0.5 * out + (1 - alpha) ** 0.5 * x
        return out

    def predictor(self, texts: list[str], guidance_scale: float) -> NoisePredictor:
        """ε(x, t) with classifier-free guidance ε∅ + w (ε_text − ε∅), or ε_text alone for a scale w of 1."""
        if guidance_scale == 1.0:
            condition = self.condition(texts)
            return lambda x, t: self.noise(x, t, condition)
        conditions = self.condition([*[""] * len(texts), *texts])

        def guided(x: Tensor, t: int) -> Tensor:
            unconditional, conditional = self.noise(torch.cat([x, x]), t, conditions).chunk(2)
            return unconditional + guidance_scale * (conditional - unconditional)

        return guided
