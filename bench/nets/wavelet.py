"""The diagonal details of a one-level wavelet transform, as SAFE's network takes them."""

from __future__ import annotations

import numpy as np
import pywt
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

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
