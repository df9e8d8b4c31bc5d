"""FIRE's network: reconstruction errors of an image and of what a learned filter leaves of its spectrum.

Chuchad/FIRE@3978ef7:utils/network_utils.py.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.nets.autoencoder import Frozen
from bench.nets.frozen import BesideFrozen
from bench.nets.resnet import ResNet

#: The smallest range of a filtered image, in grey levels: a plain image has none, and would be divided by 0.
_RANGE = 1e-3


class Made(NamedTuple):
    """What the network makes of images [B, 3, S, S].

    ``logits`` [B, 1]; ``middle``, the image of the middle frequencies, and ``error``, the reconstruction error of the
    image itself, both [B, 3, S, S]; ``inner`` and ``outer``, the masks of the middle and of all other frequencies,
    [B, 1, S, S] in 0…1; ``away``, how far the masks are from what training draws them to.
    """

    logits: Tensor
    middle: Tensor
    error: Tensor
    inner: Tensor
    outer: Tensor
    away: Tensor


class MaskNet(nn.Module):
    """A logarithmic spectrum [B, 3, S, S] to two masks [B, 1, S, S] in 0…1."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(3)
        self.feature_maps = nn.Sequential(
            nn.Conv2d(3, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh()
        )
        self.sub_pixel_0, self.sub_pixel_1 = (nn.Sequential(nn.Conv2d(32, 1, 3, padding=1)) for _ in range(2))
        for conv in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            spread = (2 / (conv.out_channels * conv.kernel_size[0] ** 2)) ** 0.5
            nn.init.normal_(conv.weight, 0, 0.001 if conv.in_channels == 32 else spread)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """Return the masks of the middle and of all other frequencies."""
        features = self.feature_maps(self.bn(spectrum))
        return self.sub_pixel_0(features).sigmoid(), self.sub_pixel_1(features).sigmoid()


class Filter(nn.Module):
    """Divides the spectrum of images by learned masks, which training draws towards a ring and what it leaves.

    ``radii`` of the ring in pixels: frequencies from the first on, below the second.
    """

    i_mask: Tensor
    r_i_mask: Tensor

    def __init__(self, side: int, radii: tuple[int, int]) -> None:
        super().__init__()
        place = torch.arange(side) - side // 2
        distance = place[:, None] ** 2 + place**2
        ring = ((distance >= radii[0] ** 2) & (distance < radii[1] ** 2)).float()[None]
        self.register_buffer("i_mask", ring)
        self.register_buffer("r_i_mask", 1 - ring)
        self.mask_autoencoder = MaskNet()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Images [B, 3, S, S] in 0…1 to (middle frequencies, all others, mask of either)."""
        spectrum = torch.fft.fftshift(torch.fft.fftn(x * 255, dim=(-2, -1)), dim=(-2, -1))
        inner, outer = self.mask_autoencoder(20 * torch.log(spectrum.abs() + 1e-7) / 255)
        return _image(spectrum * inner), _image(spectrum * outer), inner, outer

    def away(self, inner: Tensor, outer: Tensor) -> Tensor:
        """How far masks are from their targets, and their sum from 1: a mean square each, added."""
        sums = (inner - self.i_mask).square() + (outer - self.r_i_mask).square() + (inner + outer - 1).square()
        return sums.mean()


def _image(spectrum: Tensor) -> Tensor:
    """The image of a shifted spectrum, divided by its range: the smallest value is not subtracted."""
    made = torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=(-2, -1)), dim=(-2, -1)).abs()
    span = made.amax((1, 2, 3), keepdim=True) - made.amin((1, 2, 3), keepdim=True)
    return made / span.clamp_min(_RANGE)


class FIRE(BesideFrozen):
    """Images [B, 3, S, S] in 0…1 and seeds [B] of their noise to :class:`Made`.

    ``own``: a filtered image's reconstruction is compared with the filtered image, as in the paper; else with the
    image, as in the official code. The autoencoder is neither trained nor saved.
    """

    def __init__(self, autoencoder: Frozen, resnet: ResNet, filters: Filter, own: bool = False) -> None:
        super().__init__(autoencoder)
        self.resnet, self.fft_filter_module, self._own = resnet, filters, own

    @property
    def autoencoder(self) -> Frozen:
        """The frozen autoencoder."""
        autoencoder: Frozen = self.frozen[0]
        return autoencoder

    def noise(self, seeds: Tensor, side: int) -> list[Tensor]:
        """Standard normal noise [B, C, h, w] for the image and for the filtered one, of each image's own seed."""
        shape, drawn = self.autoencoder.latent_shape(side, side), list[list[Tensor]]()
        for seed in seeds.tolist():
            generator = torch.Generator().manual_seed(seed)
            drawn.append([torch.randn(shape, generator=generator) for _ in range(2)])
        return [torch.stack(pair).to(seeds.device) for pair in zip(*drawn, strict=True)]

    def forward(self, x: Tensor, seeds: Tensor) -> Made:
        """Return the logits and what the loss needs."""
        with torch.autocast(x.device.type, enabled=False):  # Errors of reconstruction are smaller than bf16's rounding.
            x = x.float()
            middle, others, inner, outer = self.fft_filter_module(x)
            noise = self.noise(seeds, x.shape[-1])
            error = (self.autoencoder(x, noise[0]) - x).abs()
            filtered = (self.autoencoder(others, noise[1]) - (others if self._own else x)).abs()
            away = self.fft_filter_module.away(inner, outer)
        return Made(self.resnet(torch.cat([error, filtered], 1)), middle, error, inner, outer, away)
