"""FreDect's input and networks: the log of the discrete cosine transform (DCT), standardised per coefficient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn
from torch import Tensor, nn

from bench.errors import UserError
from bench.nets.loading import read_tensors

EPSILON = 1e-12


def log_dct(rgb: NDArray[np.uint8]) -> Tensor:
    """Return ln(|DCT-II| + 1e-12) of every channel in 0…255, orthonormal: uint8 [H, W, 3] to float [3, H, W].

    RUB-SysSec/GANDCTAnalysis@988c4c3:src/image_np.py.
    """
    coefficients = dctn(rgb.astype(np.float64), type=2, norm="ortho", axes=(0, 1))
    return torch.from_numpy(np.log(np.abs(coefficients) + EPSILON)).permute(2, 0, 1).float()


def _array(file: Path) -> Tensor:
    array: object = read_tensors(file)
    if not isinstance(array, Tensor) or not torch.isfinite(array).all():
        raise UserError(
            f"{file} does not contain DCT statistics.",
            "The file must contain a single array of finite numbers.",
            "Name a folder with dct_mean and dct_var with --weights dct_statistics=FOLDER.",
        )
    return array


class Standardised(nn.Module):
    """A network whose input is standardised per coefficient, (x − mean) / std.

    Mean and std are buffers [3, S, S], computed in one pass over the training images. ``statistics`` is a folder with
    the published ``dct_mean`` and ``dct_var``, used instead if given. Raises UserError if these have another shape.
    """

    def __init__(self, network: nn.Module, side: int, statistics: Path | None = None) -> None:
        super().__init__()
        self.network = network
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(3, side, side))
        self.register_buffer("std", torch.ones(3, side, side))
        if statistics is not None:
            mean, variance = (_array(statistics / name) for name in ("dct_mean", "dct_var"))
            if mean.shape != self.mean.shape or variance.shape != self.std.shape:
                raise UserError(
                    f"The DCT statistics in {statistics} belong to another crop size.",
                    f"Their shapes are {list(mean.shape)} and {list(variance.shape)}, not {list(self.mean.shape)}.",
                    "Name a folder with dct_mean and dct_var of that shape.",
                )
            self.mean.copy_(mean)
            self.std.copy_(variance.sqrt())

    @torch.no_grad()
    def learn(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Compute the mean and population standard deviation; a coefficient that does not vary is divided by 1."""
        count, total, squares = 0, torch.zeros_like(self.mean).double(), torch.zeros_like(self.mean).double()
        for batch in batches:
            x = batch["image"].double()
            count, total, squares = count + len(x), total + x.sum(0), squares + x.square().sum(0)
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-6, std, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Map log-DCT inputs [B, 3, S, S] to logits [B, 1]."""
        logits: Tensor = self.network((x - self.mean) / self.std)
        return logits


def shallow_cnn(side: int) -> nn.Sequential:
    """The official CNN: four 3 × 3 convolutions, two average pools, one dense layer; ``side`` is a multiple of 4."""
    widths = (3, 3, 8, 16, 32)
    layers: list[nn.Module] = []
    for index, (a, b) in enumerate(pairwise(widths)):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU()]
        if index in (1, 2):
            layers.append(nn.AvgPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 1))


def linear(side: int) -> nn.Sequential:
    """The official regression: one dense layer on all coefficients."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * side**2, 1))
