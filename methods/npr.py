"""NPR: neighbouring pixel relationships, what up-sampling leaves inside cells of 2 × 2 pixels (CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.detector import Card, Sample, Schedule, Stage
from methods._shared import npr, recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``geometry``: ``tile`` (the authors' for GenImage: no resizing, small images are repeated) or ``resize``.

    ``crop_size``: side of the crop, in training and with ``tile`` in testing. ``load_size``: the square that ``resize``
    makes of an image first; in testing all of it is used. ``depths`` and ``width`` define the trunk; the defaults are
    the first two layers of ResNet-50. ``step_size`` and ``gamma``: the learning rate falls after every so many epochs.
    """

    geometry: npr.Geometry = "tile"
    load_size: int = 256
    crop_size: int = 224
    depths: tuple[int, int] = (3, 4)
    width: int = 64
    lr: float = 2e-4
    step_size: int = 10
    gamma: float = 0.9
    epochs: int = 50
    batch_size: int = 32


class NPR(recipes.OneLogit):
    """The difference of each pixel from the first of its cell, in the beginning of a ResNet-50 without pretraining."""

    card = Card(
        title="NPR",
        year=2024,
        paper="Tan et al.: Rethinking the Up-Sampling Operations in CNN-based Generative Network for Generalizable "
        "Deepfake Detection, CVPR 2024, arXiv 2312.10461",
        code="chuangchuangtan/NPR-DeepfakeDetection@73cde1c",
        licence="none stated; reimplemented from the paper and the list of layers",
        pretraining="none",
        label_convention="1 = fake",
        geometry="torchvision: centre crop 224 without resizing, smaller images repeated (`tile`), or resized to "
        "256 x 256, bilinear (`resize`)",
        version=1,
        deviations=(
            "GenImage's recipe of the README is the default; `resize` is that of the paper's tables on ProGAN's "
            "training set and of the released weights",
            "the learning rate falls after every 10 epochs; the official script does so after the 11th, 21st …",
            "weights are those of the last epoch, as in the official script, which seeds them with 100 or, for "
            "GenImage, 70; here seeds are the harness's",
            "an odd side loses its last row or column, as the README says for AIGCDetectBenchmark; without it the "
            "official network fails",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"resize": {"geometry": "resize"}}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the network with one logit; two thirds of the relationships go in, as released weights need."""
        from bench.nets.truncated_resnet import NPR as Network
        from bench.nets.truncated_resnet import Shape

        return Network(Shape(self.params.depths, self.params.width), 1)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, side, side] with ImageNet's mean and standard deviation, as in NPR's code."""
        return npr.view(sample.rgb, stage, rng, self.params)

    def schedule(self) -> Schedule:
        """Adam; the learning rate falls by a tenth at regular steps."""
        return npr.schedule(self.params)


METHOD = NPR
