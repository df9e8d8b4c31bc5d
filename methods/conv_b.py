"""Conv-B: a plain ConvNeXt-B, the strong baseline of the DRCT paper (ICML 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.detector import Card, Sample, Schedule, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``depths``, ``dims``, ``patch`` and ``stride`` define the ConvNeXt; the defaults are ConvNeXt-B.

    ``full_augmentation`` adds DRCT's rescaling, colour, dropout, greyscale and warping. ``cosine``: half period of the
    learning rate, in epochs.
    """

    crop_size: int = 224
    full_augmentation: bool = True
    depths: tuple[int, ...] = (3, 3, 27, 3)
    dims: tuple[int, ...] = (128, 256, 512, 1024)
    patch: int = 4
    stride: int = 32
    lr: float = 1e-4
    weight_decay: float = 4e-5
    cosine: int = 5
    epochs: int = 17
    batch_size: int = 128


class ConvB(recipes.TwoLogits):
    """A ConvNeXt-B trained with DRCT's recipe, but without reconstructions and without the contrastive loss."""

    card = Card(
        title="Conv-B",
        year=2022,
        paper="Liu et al.: A ConvNet for the 2020s, CVPR 2022; as a detector: Chen et al.: DRCT, ICML 2024",
        code="beibuwandeluori/DRCT@01aa7d0",
        licence="none stated; reimplemented from the paper and its training recipe",
        pretraining="ImageNet-22k (ConvNeXt-B)",
        label_convention="0 = real, other = fake; p = 1 − softmax[0]",
        geometry="albumentations: zero-padded to 224, centre crop 224 without resizing (margins rounded down)",
        version=2,
        weights={"convnext": "backbone"},
        deviations=(
            "the official repository has no script for this baseline: it is trained with the README's flags, without "
            "the reconstruction folders",
        ),
    )
    Params = Params

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return a ConvNeXt with two logits and timm's keys."""
        from methods._shared.backbones import convnext

        return convnext(self.params, 2, weights.get("convnext"))

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size] at native resolution, ImageNet's mean and standard deviation."""
        from methods._shared.tensors import imagenet

        p = self.params
        return {"image": imagenet(recipes.drct_view(sample.rgb, stage, rng, p.crop_size, p.full_augmentation))}

    def schedule(self) -> Schedule:
        """DRCT's: AdamW with a cosine learning rate; the epoch with the best validation accuracy is kept."""
        return recipes.drct_schedule(self.params)


METHOD = ConvB
