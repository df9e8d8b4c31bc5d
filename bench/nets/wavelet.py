"""One-level wavelet transforms: the diagonal details that SAFE's network takes, and the four bands of FatFormer's."""

from __future__ import annotations

import numpy as np
import pywt
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad, pixel_shuffle

#: SAFE's wavelet: its high-pass filter is Haar's with zeros at both ends.
WAVELET = "bior1.3"


def diagonal(x: Tensor) -> Tensor:
    """The diagonal band of [B, C, H, W], resized to the same sides by bilinear interpolation.

    Edges are mirrored, the edge pixel included (``symmetric``); the band is PyWavelets' ``cD``.
    """
    taps = torch.tensor(pywt.Wavelet(WAVELET).dec_hi[::-1], dtype=x.dtype, device=x.device)
    for axis in (-2, -1):
        x = x.index_select(axis, torch.from_numpy(_mirrored(x.shape[axis], len(taps))).to(x.device))
    kernel = (taps[:, None] * taps[None]).expand(x.shape[1], 1, -1, -1)
    sides = [size - 2 * (len(taps) - 1) for size in x.shape[-2:]]
    band = conv2d(x[..., 1:, 1:], kernel, stride=2, groups=x.shape[1])
    return interpolate(band, size=sides, mode="bilinear", align_corners=False)


def _mirrored(size: int, taps: int) -> np.ndarray:
    """Where the samples of an axis come from if it is mirrored by a filter's length, less one, at both ends."""
    return np.pad(np.arange(size), taps - 1, mode="symmetric")


def haar(x: Tensor) -> Tensor:
    """Haar's bands of [B, C, H, W] as [B, C, 4, ⌈H/2⌉, ⌈W/2⌉]; an odd side is padded with one row or column of zeros.

    The bands are low in both directions, low in width alone, high in width alone, and high in both.
    """
    x = pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))
    return _mixed(*(x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)))


def inverse_haar(bands: Tensor) -> Tensor:
    """The inverse of :func:`haar`: [B, C, 4, H, W] to [B, C, 2 H, 2 W]."""
    return pixel_shuffle(_mixed(*bands.unbind(-3)).flatten(1, 2), 2)


def _mixed(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """From the corners of cells to bands, and from bands to corners: the transform is its own inverse."""
    return torch.stack([a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d], -3) / 2
