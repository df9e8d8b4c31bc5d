"""Community Forensics: a small vision transformer, trained on thousands of generators (CVPR 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.geometry import crop, resize_short_side
from bench.detector import Card, Sample, Schedule, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``load_size``: length to which the shorter side is resized. ``crop_size``: side of the input.

    ``backbone``: role of the ImageNet weights from which training starts. ``patch``, ``width``, ``depth`` and ``heads``
    define the transformer; the defaults are ViT-S/16. ``full_augmentation`` adds to the random crop eleven changes,
    each none, one or two times.
    """

    backbone: Literal["vit_small_384", "vit_small_224"] = "vit_small_384"
    load_size: int = 440
    crop_size: int = 384
    patch: int = 16
    width: int = 384
    depth: int = 12
    heads: int = 6
    full_augmentation: bool = True
    lr: float = 2e-5
    weight_decay: float = 0.01
    epochs: int = 20
    batch_size: int = 512


class CommunityForensics(recipes.OneLogit):
    """A ViT-S/16 on the image itself, with one logit and strong augmentation."""

    card = Card(
        title="Community Forensics",
        year=2025,
        paper="Park et al.: Community Forensics: Using Thousands of Generators to Train Fake Image Detectors, "
        "CVPR 2025, arXiv 2411.04125",
        code="JeongsooP/Community-Forensics@5ec815f",
        licence="MIT",
        pretraining="ImageNet-21k and ImageNet-1k (ViT-S/16, AugReg)",
        label_convention="1 = fake",
        geometry="torchvision: shorter side resized to 440, bilinear, centre crop 384 (`224`: 256 and 224)",
        version=1,
        weights={"vit_small_384": "initial weights", "vit_small_224": "initial weights of `224`"},
        deviations=(
            "trains on the run's generator alone; the paper's point is training on thousands",
            "20 epochs, the default of the official script; its example takes 52,000 steps on the paper's data",
            "the learning rate falls along a cosine from epoch to epoch; the official script raises it over the first "
            "fifth of the steps, and then changes it at every step",
            "keeps two oddities of the augmentation with which the official weights were trained: a resized part keeps "
            "the ratio of its sides, and padding swaps height and width",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "224": {"backbone": "vit_small_224", "load_size": 256, "crop_size": 224}
    }

    def roles(self) -> Sequence[str]:
        """The transformer that is pretrained at the size of the input."""
        return (self.params.backbone,)

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the transformer with one logit and timm's keys."""
        from bench.nets.vit import Shape, classifier

        p = self.params
        shape = Shape(p.width, p.depth, p.heads, p.patch, p.crop_size, scaled=False)
        return classifier(shape, weights.get(p.backbone))

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Names without ``vit.``, below which the official class has the transformer."""
        return {name.removeprefix("vit."): tensor for name, tensor in state.items()}

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], ImageNet's mean and standard deviation."""
        from methods._shared.random_state import changed
        from methods._shared.tensors import imagenet

        p = self.params
        rgb = resize_short_side(sample.rgb, p.load_size)
        if stage == "test":
            return {"image": imagenet(crop(rgb, p.crop_size, None))}
        rgb = changed(rgb, p.crop_size, rng) if p.full_augmentation else rgb
        return {"image": imagenet(crop(rgb, p.crop_size, rng))}

    def schedule(self) -> Schedule:
        """AdamW with a cosine learning rate and clipped gradients; the last epoch is kept."""
        p = self.params
        return Schedule(
            p.epochs, p.batch_size, "adamw", p.lr, weight_decay=p.weight_decay, cosine=p.epochs, clip_norm=1.0
        )


METHOD = CommunityForensics
