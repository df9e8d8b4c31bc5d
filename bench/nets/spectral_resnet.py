"""LNP's classifier: a ResNet on three noise channels and the amplitude and phase of their spectrum.

Tangsenghenshou/Detecting-Generated-Images-by-Real-Images@bba18a2:resnet.py.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from bench.nets.resnet import ResNet, Shape

#: The weights of luma, for channels in BGR order.
_LUMA = (0.11, 0.59, 0.30)


def spectrum(x: Tensor) -> Tensor:
    """Luma of the amplitude to the power 0.8 and of the phase: [B, 3, H, W] to [B, 2, H, W], zero frequency centred."""
    transformed = torch.fft.fftshift(torch.fft.fft2(x, norm="ortho"), dim=(2, 3))
    weights = torch.tensor(_LUMA, device=x.device).view(1, 3, 1, 1)
    amplitude = (transformed.abs() + 1e-8).pow(0.8)
    phase = torch.atan2(transformed.imag + 1e-8, transformed.real + 1e-8)
    return torch.cat([(weights * amplitude).sum(1, keepdim=True), (weights * phase).sum(1, keepdim=True)], 1)


class SpectralResNet(ResNet):
    """A ResNet with five input channels: the image and its spectrum."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(replace(shape, inside=5), classes=1)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images [B, 3, H, W] to logits [B, 1]."""
        return super().forward(torch.cat([x, spectrum(x)], 1))
