"""LGrad: a ResNet-50 on the gradients of a pretrained GAN discriminator (CVPR 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from bench.artefacts.engines import discriminator_gradient
from bench.artefacts.geometry import crop
from bench.detector import Card, Sample, Schedule, Stage
from bench.recipe import Recipe
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``recipe``: ``official``, or ``drct``, which crops and augments the gradient at its native size.

    ``load_size``: side of the gradient in testing. ``crop_size``: side of the crop in training. The learning rate is
    multiplied by ``gamma`` every ``step_size`` epochs. ``depths``, ``width`` and ``stride`` define the ResNet; the
    defaults are ResNet-50. ``weight_decay`` and ``cosine`` apply to ``drct`` only.
    """

    recipe: recipes.Name = "official"
    load_size: int = 256
    crop_size: int = 224
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    lr: float = 5e-4
    weight_decay: float = 0.0
    cosine: int = 5
    step_size: int = 10
    gamma: float = 0.8
    epochs: int = 100
    batch_size: int = 16


class LGrad(recipes.OneLogit):
    """A ResNet-50 on the gradient of a discriminator's logit with respect to the image, not on the image itself."""

    card = Card(
        title="LGrad",
        year=2023,
        paper="Tan et al.: Learning on Gradients: Generalized Artifacts Representation for GAN-Generated Images "
        "Detection, CVPR 2023",
        code="chuangchuangtan/LGrad@7cb5973",
        licence="none stated; StyleGAN part: CC BY-NC 4.0; reimplemented from the paper and the list of layers",
        pretraining="ImageNet-1k (ResNet-50); StyleGAN on LSUN bedrooms (discriminator)",
        label_convention="1 = fake",
        geometry="Pillow: resized to 256 x 256 without keeping the aspect ratio, bilinear; its gradient is not cropped",
        version=2,
        weights={"resnet50": "classifier"},
        deviations=(
            "gradients are computed as in the PyTorch port; the TensorFlow code resizes with another filter",
            recipes.DRCT_ONE_LOGIT,
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"drct": recipes.DRCT}

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The gradient of every image."""
        return {"gradient": discriminator_gradient.recipe()}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return a ResNet with one logit, whose head weights are initialised from N(0, 0.02)."""
        from methods._shared.backbones import imagenet_resnet

        return imagenet_resnet(self.params, weights.get("resnet50"))

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, S, S], the gradient with ImageNet's mean and standard deviation.

        S is ``load_size``, but ``crop_size`` in training or with recipe ``drct``.
        """
        from methods._shared.tensors import imagenet

        p, gradient = self.params, np.asarray(sample.artefacts["gradient"])
        if p.recipe == "drct":
            return {"image": imagenet(recipes.drct_view(gradient, stage, rng, p.crop_size))}
        if gradient.shape[:2] != (p.load_size, p.load_size):
            resized = Image.fromarray(gradient).resize((p.load_size, p.load_size), Image.Resampling.BILINEAR)
            gradient = np.asarray(resized)
        if stage == "train":
            gradient = crop(gradient, p.crop_size, rng)
            gradient = gradient[:, ::-1] if rng.random() < 0.5 else gradient
        return {"image": imagenet(gradient)}

    def schedule(self) -> Schedule:
        """Adam with a step decay of the learning rate; the last epoch is kept. Or DRCT's schedule."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, step_size=p.step_size, gamma=p.gamma)


METHOD = LGrad
