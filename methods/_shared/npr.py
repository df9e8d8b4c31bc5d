"""The geometry and the schedule of NPR's code, on which FreqNet, SAFE and LaDeDa are based.

chuangchuangtan/NPR-DeepfakeDetection@73cde1c:data/datasets.py, train.py and README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.artefacts.geometry import crop, tiled
from bench.detector import Schedule, Stage

if TYPE_CHECKING:
    from torch import Tensor

RGB = NDArray[np.uint8]
#: ``resize``: to a square first, whose whole is tested; ``tile``: no resizing, small images are repeated.
Geometry = Literal["tile", "resize"]


class Sizes(Protocol):
    """The parameters of the geometry."""

    @property
    def geometry(self) -> Geometry:
        """What is done before the crop."""

    @property
    def load_size(self) -> int:
        """Side of the square of ``resize``, in pixels."""

    @property
    def crop_size(self) -> int:
        """Side of the crop, in pixels."""


class Steps(Protocol):
    """The parameters of the schedule."""

    @property
    def lr(self) -> float:
        """First learning rate."""

    @property
    def step_size(self) -> int:
        """Epochs between two reductions."""

    @property
    def gamma(self) -> float:
        """What a reduction leaves."""

    @property
    def epochs(self) -> int:
        """Number of epochs."""

    @property
    def batch_size(self) -> int:
        """Images per step."""


def view(rgb: RGB, stage: Stage, rng: np.random.Generator, p: Sizes) -> Mapping[str, Tensor]:
    """``image``: float [3, side, side], ImageNet's mean and standard deviation.

    The side is ``crop_size``; with ``resize``, testing uses all of ``load_size``. Training crops at random and flips.
    """
    from methods._shared.tensors import imagenet

    if p.geometry == "resize":
        rgb = np.asarray(Image.fromarray(rgb).resize((p.load_size,) * 2, Image.Resampling.BILINEAR))
        if stage == "test":
            return {"image": imagenet(rgb)}
    rgb = crop(tiled(rgb, p.crop_size), p.crop_size, rng if stage == "train" else None)
    return {"image": imagenet(rgb[:, ::-1] if stage == "train" and rng.random() < 0.5 else rgb)}


def schedule(p: Steps) -> Schedule:
    """Adam; the learning rate falls at regular steps, and the last epoch is kept."""
    return Schedule(p.epochs, p.batch_size, "adam", p.lr, step_size=p.step_size, gamma=p.gamma)
