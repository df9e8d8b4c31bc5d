"""FreqNet: learning in the frequency domain, on high frequencies alone (AAAI 2024)."""

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
    """``geometry``, ``load_size``, ``crop_size``, ``step_size``, ``gamma``: those of NPR, on whose code it is built.

    ``depths`` and ``width`` define the trunk; the defaults are the first two layers of ResNet-50.
    """

    geometry: npr.Geometry = "resize"
    load_size: int = 256
    crop_size: int = 224
    depths: tuple[int, int] = (3, 4)
    width: int = 64
    lr: float = 1e-3
    step_size: int = 10
    gamma: float = 0.9
    epochs: int = 85
    batch_size: int = 32


class FreqNet(recipes.OneLogit):
    """High frequencies of the image and of feature maps, with convolutions of spectra, in a truncated ResNet-50."""

    card = Card(
        title="FreqNet",
        year=2024,
        paper="Tan et al.: Frequency-Aware Deepfake Detection: Improving Generalizability through Frequency Space "
        "Learning, AAAI 2024, arXiv 2403.07240",
        code="ysobella/FreqNet-DeepfakeDetection@350adb4",
        licence="none stated; reimplemented from the paper and the list of layers",
        pretraining="none",
        label_convention="1 = fake",
        geometry="torchvision: resized to 256 x 256 without keeping the aspect ratio, bilinear (`resize`), or centre "
        "crop 224 without resizing, smaller images repeated (`tile`)",
        version=1,
        deviations=(
            "the authors' repository contains a README alone; layers are those of a fork's copy of their network",
            "the learning rate falls after every 10 epochs; the official script does so after the 11th, 21st …",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"tile": {"geometry": "tile"}}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the network with one logit."""
        from bench.nets.freqnet import FreqNet as Network
        from bench.nets.truncated_resnet import Shape

        return Network(Shape(self.params.depths, self.params.width))

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, side, side] with ImageNet's mean and standard deviation, as in NPR's code."""
        return npr.view(sample.rgb, stage, rng, self.params)

    def schedule(self) -> Schedule:
        """Adam; the learning rate falls by a tenth at regular steps."""
        return npr.schedule(self.params)


METHOD = FreqNet
