"""The autoencoder of a latent diffusion model alone: an image through encoder and decoder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from diffusers import AutoencoderKL, VQModel
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.errors import UserError
from bench.nets.loading import differences, some
from bench.nets.pretrained import load_pretrained
from bench.numerics import REFERENCE, Numerics

RGB = NDArray[np.uint8]
Rounding = Literal["truncate", "nearest"]
#: Where pipelines of diffusers keep their autoencoder: Stable Diffusion, Kandinsky and the first latent diffusion.
SUBFOLDERS = ("vae", "movq", "vqvae")
_KINDS = {"AutoencoderKL": AutoencoderKL, "VQModel": VQModel}


class Autoencoder:
    """A variational or a vector-quantised autoencoder in diffusers' format, from a pipeline's folder.

    It runs in single precision, and in fp16 on a GPU unless ``numerics`` ask for more. Raises UserError if the folder
    has no autoencoder that is known.
    """

    def __init__(self, folder: Path, device: str, numerics: Numerics = REFERENCE) -> None:
        self._device = device
        self._dtype = torch.float16 if numerics.half and device == "cuda" else torch.float32
        net, kind = _load(folder, self._dtype)
        self._net: Any = net.to(device)
        self.draws = kind == "AutoencoderKL"

    @property
    def multiple(self) -> int:
        """The downsampling factor; image sides must be multiples of it."""
        return 2 ** (len(self._net.config.block_out_channels) - 1)

    def latent_shape(self, image: RGB) -> tuple[int, int, int]:
        """Channels, height and width of an image's latents."""
        height, width = image.shape[:2]
        return int(self._net.config.latent_channels), height // self.multiple, width // self.multiple

    @torch.no_grad()
    def round_trip(
        self, images: list[RGB], noise: list[NDArray[np.float32]] | None, quantise: bool, rounding: Rounding
    ) -> list[RGB]:
        """Encode and decode images uint8 [H, W, 3] of one size.

        With ``noise``, standard normal of the latents' shape, the posterior is sampled; without it, its mean is used.
        ``quantise`` says whether a vector-quantised model uses its codebook. 8-bit values are cut off or rounded.
        """
        pixels = torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2)
        x = (pixels.to(torch.float32) / 255).to(self._dtype) * 2 - 1
        decoded = self._decode(self._encode(x, noise), quantise).float()
        scaled = (decoded / 2 + 0.5).clamp(0, 1) * 255
        scaled = scaled.round() if rounding == "nearest" else scaled
        return list(scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())

    def _encode(self, x: Tensor, noise: list[NDArray[np.float32]] | None) -> Tensor:
        encoded = self._net.encode(x)
        if not self.draws:
            latents: Tensor = encoded.latents
            return latents
        posterior = encoded.latent_dist
        mean: Tensor = posterior.mean
        if noise is None:
            return mean
        drawn = torch.from_numpy(np.stack(noise)).to(self._device, self._dtype)
        return mean + posterior.std * drawn

    def _decode(self, latents: Tensor, quantise: bool) -> Tensor:
        options = {} if self.draws else {"force_not_quantize": not quantise}
        pixels: Tensor = self._net.decode(latents, **options).sample
        return pixels


class Frozen(nn.Module):
    """A variational autoencoder that is not trained, but through which gradients flow; in single precision.

    Raises UserError if the folder has no such autoencoder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        net, kind = _load(folder, torch.float32)
        if kind != "AutoencoderKL":
            raise _unknown(folder, f"Its class is {kind}, which has no posterior to draw from")
        self.net: Any = net
        self.requires_grad_(False)

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Channels, height and width of the latents of an image, whose sides are multiples of the factor."""
        factor = 2 ** (len(self.net.config.block_out_channels) - 1)
        return int(self.net.config.latent_channels), height // factor, width // factor

    def unlike(self, copy: Mapping[str, Tensor]) -> str:
        """How another copy of its tensors differs, in half precision; '' if it does not."""
        own = {name: tensor.detach() for name, tensor in self.net.state_dict().items()}
        mismatch = differences(own, copy)
        if mismatch:
            return f"The autoencoder in the checkpoint is a different network. {mismatch}"
        changed = [name for name, t in copy.items() if not torch.equal(t.half(), own[name].to(t.device).half())]
        return f"The autoencoder in the checkpoint has other values: {some(sorted(changed))}." if changed else ""

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """Images [B, 3, H, W] to their reconstructions from the posterior's draw by standard normal ``noise``."""
        posterior = self.net.encode(x).latent_dist
        made: Tensor = self.net.decode(posterior.mean + posterior.std * noise).sample
        return made


def _load(folder: Path, dtype: torch.dtype) -> tuple[Any, str]:
    """The autoencoder of a pipeline's folder and the name of its class. Raises UserError if it has none."""
    place = next((folder / name for name in SUBFOLDERS if (folder / name / "config.json").is_file()), folder)
    try:
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unknown(folder, f"{place / 'config.json'} cannot be read") from error
    kind = str(config.get("_class_name", ""))
    if kind not in _KINDS:
        raise _unknown(folder, f"Its class is {kind or 'not named'}")
    return load_pretrained(_KINDS[kind], place, low_cpu_mem_usage=False, torch_dtype=dtype), kind


def _unknown(folder: Path, reason: str) -> UserError:
    return UserError(
        f"{folder} holds no autoencoder.",
        f"{reason}.",
        f"Name a folder of diffusers with one of {', '.join(f'{name}/' for name in SUBFOLDERS)} "
        f"whose class is one of {', '.join(_KINDS)}.",
    )
