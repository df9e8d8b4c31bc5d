"""AIDE's network and preparation: the windows with the lowest and the highest frequencies, beside a frozen ConvNeXt.

shilinyan99/AIDE@6725b71:models/AIDE.py and data/dct.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.convnext import ConvNeXt
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, unfold

from bench.nets.frozen import BesideFrozen
from bench.nets.loading import differences, some
from bench.nets.resnet import ResNet
from bench.nets.srm import srm
from methods._shared.augment import pillow_jpeg
from methods._shared.clip import MEAN, STD
from methods._shared.tensors import IMAGENET_MEAN, IMAGENET_STD

RGB = NDArray[np.uint8]
_BANDS = 6


def _cosines(size: int) -> Tensor:
    """The matrix of the orthonormal DCT-II: float [size, size], a row for each frequency."""
    frequency, place = np.arange(size)[:, None], np.arange(size) + 0.5
    rows = math.sqrt(2 / size) * np.cos(place * math.pi * frequency / size)
    rows[0] = math.sqrt(1 / size)
    return torch.from_numpy(rows).float()


def _grades(coefficients: Tensor) -> Tensor:
    """How much of a window is in high frequencies: DCT coefficients [N, 3, S, S] to [N].

    The means of ln(|c| + 1) in six bands of diagonals, weighted by 1, 2, 4, … 32. A diagonal on the border of two bands
    belongs to both.
    """
    size = coefficients.shape[-1]
    diagonals = torch.arange(size)[:, None] + torch.arange(size)
    logs, grades = torch.log(coefficients.abs() + 1), torch.zeros(len(coefficients))
    for band in range(_BANDS):
        low, high = (2.0 * size / _BANDS * edge for edge in (band, band + 1))
        mask = ((diagonals >= low) & (diagonals <= high)).float()
        grades += 2**band * (logs * mask / mask.sum()).sum((1, 2, 3))
    return grades


def extremes(image: Tensor, window: int, step: int) -> Tensor:
    """The windows with the lowest, the highest, the second lowest and the second highest grade.

    [3, H, W] to [4, 3, window, window]. They went through the DCT and back, as in the official code.
    """
    windows = unfold(image[None], window, stride=step)[0].T.reshape(-1, 3, window, window)
    cosines = _cosines(window)
    coefficients = cosines @ windows @ cosines.T
    order = _grades(coefficients).sort().indices
    last = len(order) - 1
    chosen = coefficients[order[[0, last, min(1, last), max(last - 1, 0)]]]
    return cosines.T @ chosen @ cosines


def prepared(image: Tensor, size: int, window: int, step: int) -> Tensor:
    """The four windows and the whole image [3, H, W] at one size, with ImageNet's mean and standard deviation.

    Float [5, 3, size, size]. Bilinear without antialiasing, the default of the authors' torchvision for tensors.
    """
    centre, spread = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    parts = (extremes(image, window, step), image[None])
    resized = [interpolate(part, (size, size), mode="bilinear", align_corners=False) for part in parts]
    return (torch.cat(resized) - centre) / spread


def blurred_or_compressed(rgb: RGB, blur_prob: float, jpg_prob: float, rng: np.random.Generator) -> RGB:
    """Blur with a kernel of 3 pixels and σ in 0.1…3, then JPEG of quality 30…100, each with its own probability."""
    if rng.random() < blur_prob:
        rgb = np.asarray(cv2.GaussianBlur(np.ascontiguousarray(rgb), (3, 3), rng.uniform(0.1, 3.0)), np.uint8)
    return pillow_jpeg(rgb, int(rng.integers(30, 101))) if rng.random() < jpg_prob else rgb


class _HighPass(nn.Module):
    """The fixed filters on the sum of the colours: [B, 3, H, W] to [B, 30, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.hpf = nn.Conv2d(3, 30, 5, padding=2, bias=False)
        self.hpf.weight = nn.Parameter(srm().repeat(1, 3, 1, 1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return what is left."""
        left: Tensor = self.hpf(x)
        return left


class _Head(nn.Module):
    """Two linear layers with GELU."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(inside, width), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside] to [B, 2]."""
        logits: Tensor = self.fc2(gelu(self.fc1(x)))
        return logits


@dataclass(frozen=True)
class Widths:
    """Sizes of the projection of the ConvNeXt's features and of the head's hidden layer."""

    projection: int = 256
    hidden: int = 1024


class Experts(BesideFrozen):
    """Windows and images [B, 5, 3, S, S] to logits [B, 2], real and fake.

    ``lows`` and ``highs`` see the filtered windows. The projection of the frozen ``trunk`` keeps its first weights: the
    official code computes it without gradients.
    """

    def __init__(self, trunk: ConvNeXt, lows: ResNet, highs: ResNet, widths: Widths) -> None:
        super().__init__(trunk.requires_grad_(False))
        self.hpf, self.model_min, self.model_max = _HighPass(), lows, highs
        self.fc = _Head(widths.projection + lows.features, widths.hidden)
        self.convnext_proj = nn.Sequential(nn.Linear(trunk.num_features, widths.projection)).requires_grad_(False)

    @property
    def trunk(self) -> ConvNeXt:
        """The frozen ConvNeXt."""
        trunk: ConvNeXt = self.frozen[0]
        return trunk

    @torch.no_grad()
    def semantic(self, x: Tensor) -> Tensor:
        """The projected mean of the trunk's positions [B, projection], each normalised by itself.

        ``x`` has ImageNet's mean and standard deviation, the trunk gets CLIP's.
        """
        means, stds = (x.new_tensor(pair)[:, :, None, None] for pair in ((IMAGENET_MEAN, MEAN), (IMAGENET_STD, STD)))
        x = x * (stds[0] / stds[1]) + (means[0] - means[1]) / stds[1]
        positions = self.trunk.get_submodule("head.norm")(self.trunk.forward_features(x))
        projected: Tensor = self.convnext_proj(positions.mean((2, 3)))
        return projected

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits. A ResNet sees one window of each image at a time, as its batch norm does officially."""
        experts = (self.model_min, self.model_max) * 2
        traces = [expert(self.hpf(part)) for expert, part in zip(experts, x[:, :4].unbind(1), strict=True)]
        features = (traces[0] + traces[1] + traces[2] + traces[3]) / 4
        logits: Tensor = self.fc(torch.cat([self.semantic(x[:, 4]), features], 1))
        return logits


def other_trunk(model: Experts, copy: Mapping[str, Tensor]) -> str:
    """Describe how a checkpoint's copy of the ConvNeXt differs from the frozen one; '' if it is the same or absent.

    Compared in half precision, in which some files of it are published.
    """
    frozen = model.trunk.state_dict()
    mismatch = differences(frozen, copy, set(frozen))
    if mismatch:
        return f"The ConvNeXt in the checkpoint is a different network. {mismatch}"
    changed = sorted(n for n, t in copy.items() if not torch.equal(t.to(frozen[n].device).half(), frozen[n].half()))
    return f"{len(changed)} of {len(copy)} tensors of its ConvNeXt differ: {some(changed)}." if changed else ""
