"""Fusing: global features, and local features of windows that the network selects (ICIP 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artefacts.geometry import crop, resize_short_side
from bench.detector import Card, Plateau, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``recipe``: ``official`` or ``drct``. ``crop_size``: side of the network's input and of its larger windows.

    ``blur_prob`` and ``jpg_prob``: probabilities of blur and JPEG compression in training. ``depths``, ``width`` and
    ``stride`` define the ResNet, whose last feature grid must be 7 × 7. ``weight_decay`` and ``cosine`` apply to
    ``drct`` only.
    """

    recipe: recipes.Name = "official"
    crop_size: int = 224
    blur_prob: Share = 0.1
    jpg_prob: Share = 0.1
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    lr: float = 5e-5
    weight_decay: float = 0.0
    cosine: int = 5
    epochs: int = 10_000
    batch_size: int = 128


class Fusing(recipes.OneLogit):
    """Combines features of the resized image with features of six windows at full resolution."""

    card = Card(
        title="Fusing",
        year=2022,
        paper="Ju et al.: Fusing Global and Local Features for Generalized AI-Synthesized Image Detection, ICIP 2022, "
        "arXiv 2203.13964",
        code="littlejuyan/FusingGlobalandLocal@0cb3d26",
        licence="CC BY-NC-SA 4.0; reimplemented from the paper and the list of layers",
        pretraining="ImageNet-1k (ResNet-50)",
        label_convention="1 = fake",
        geometry="torchvision: shorter side 224, centre crop 224; local windows from the image without resizing",
        version=2,
        weights={"resnet50": "backbone"},
        deviations=(
            "the best epoch on unaugmented validation images is kept; the official validation images are augmented",
            "stops when the learning rate falls below its minimum; the official loop never stops by itself",
            "one batch may contain images of different sizes; the official loader needs one size",
            recipes.DRCT_ONE_LOGIT,
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"drct": recipes.DRCT}
    ragged = True

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the network with an ImageNet trunk."""
        from bench.nets.fusing import Fusing as Network
        from bench.nets.resnet import Shape, load_imagenet, mini_strides

        p = self.params
        network = Network(Shape(True, p.depths, p.width, tuple(mini_strides(p.stride))))
        if "resnet50" in weights:
            load_imagenet(network.resnet, weights["resnet50"])
        return network

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``full``: float [3, H, W]; ``image``: its resized centre, float [3, crop_size, crop_size]; ``size``: (H, W).

        Both images have ImageNet's mean and standard deviation; ``size`` is int64 [2].
        """
        import torch

        from methods._shared.augment import blur_or_jpeg
        from methods._shared.tensors import imagenet

        p, rgb = self.params, sample.rgb
        if p.recipe == "drct":
            rgb = recipes.drct_view(rgb, stage, rng, p.crop_size)
        elif stage == "train":
            rgb = blur_or_jpeg(rgb, p.blur_prob, p.jpg_prob, rng)
            rgb = rgb[:, ::-1] if rng.random() < 0.5 else rgb
        centre = crop(resize_short_side(rgb, p.crop_size), p.crop_size, None)
        return {"image": imagenet(centre), "full": imagenet(rgb), "size": torch.tensor(rgb.shape[:2])}

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit; positive means fake."""
        logits: Tensor = model(batch["image"], batch["full"], batch["size"])[:, 0]
        return logits

    def schedule(self) -> Schedule:
        """Adam, its learning rate halved after ten epochs without a gain in validation accuracy; or DRCT's schedule."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        rule = Plateau(patience=10, gains=(1e-4, 5e-5), factor=0.5)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=rule)


METHOD = Fusing
