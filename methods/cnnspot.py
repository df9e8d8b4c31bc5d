"""CNNSpot: a ResNet-50 with blur and JPEG augmentation (CVPR 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.detector import Card, Plateau, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``recipe``: ``official`` (CNNDetection's), or ``drct`` (used to retrain it for DRCT's and SARE's tables).

    ``load_size``: shorter side in training; ``crop_size``: side of the input. ``blur_prob`` and ``jpg_prob``:
    probabilities of blur and JPEG compression in training, 0.5, or 0.1 for the second published model. ``depths``,
    ``width`` and ``stride`` define the ResNet; the defaults are ResNet-50. ``weight_decay`` and ``cosine`` apply to
    ``drct`` only.
    """

    recipe: recipes.Name = "official"
    load_size: int = 256
    crop_size: int = 224
    blur_prob: Share = 0.5
    jpg_prob: Share = 0.5
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    lr: float = 1e-4
    weight_decay: float = 0.0
    cosine: int = 5
    epochs: int = 10_000
    batch_size: int = 64


class CNNSpot(recipes.OneLogit):
    """A ResNet-50 on the image itself, with one logit."""

    card = Card(
        title="CNNSpot",
        year=2020,
        paper="Wang et al.: CNN-generated images are surprisingly easy to spot... for now, CVPR 2020, arXiv 1912.11035",
        code="PeterWang512/CNNDetection@ea0b562",
        licence="CC BY-NC-SA 4.0; reimplemented from the paper and its training recipe",
        pretraining="ImageNet-1k (ResNet-50)",
        label_convention="1 = fake",
        geometry="torchvision: centre crop 224 without resizing, zero-padded if smaller",
        version=2,
        weights={"resnet50": "classifier"},
        deviations=(
            "validation images are not resized before the crop, as in testing; the official script resizes them to 256",
            "validation images are not blurred or JPEG-compressed; the official script does both at random",
            "the best checkpoint is kept after a reduction of the learning rate; the official early stop overwrites it",
            recipes.DRCT_ONE_LOGIT,
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "drct": recipes.DRCT,
        "p01": {"blur_prob": 0.1, "jpg_prob": 0.1},
    }

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return a ResNet with one logit, whose head weights are initialised from N(0, 0.02)."""
        from methods._shared.backbones import imagenet_resnet

        p = self.params
        return imagenet_resnet(p, weights.get("resnet50"))

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], ImageNet's mean and standard deviation."""
        from methods._shared.tensors import imagenet

        p = self.params
        if p.recipe == "drct":
            return {"image": imagenet(recipes.drct_view(sample.rgb, stage, rng, p.crop_size))}
        return {"image": imagenet(recipes.cnndetection_view(sample.rgb, stage, rng, p))}

    def schedule(self) -> Schedule:
        """Adam with early stop on validation accuracy; or DRCT's schedule."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=Plateau())


METHOD = CNNSpot
