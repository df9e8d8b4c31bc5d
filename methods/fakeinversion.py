"""FakeInversion: an image beside its text-conditioned inversion and reconstruction by Stable Diffusion (CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from bench.artefacts.engines import blip, text_inversion
from bench.detector import RGB, Card, Plateau, Sample, Schedule, Stage
from bench.recipe import Recipe
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``sd_size`` and ``steps``: image side of the diffusion model, and its steps in each direction.

    ``image_size``: side of the classifier's input. ``residual``: whether |image − reconstruction| is a fourth image.
    ``norm``: the classifier's normalisation layers, ``batch`` or ``instance``; the latter have no weights.
    ``pretrained``: whether it starts from ImageNet's weights. ``depths``, ``width`` and ``stride`` define it; the
    defaults are those of ResNet-50. ``patience``: epochs without a gain in validation loss that leave the learning rate
    as it is.
    """

    sd_size: int = 512
    steps: int = 50
    image_size: int = 224
    residual: bool = False
    norm: Literal["batch", "instance"] = "batch"
    pretrained: bool = True
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    lr: float = 1e-4
    patience: int = 5
    epochs: int = 100
    batch_size: int = 24


class FakeInversion(recipes.OneLogit):
    """A ResNet-50 sees the image, the decoded noise that inverts it, and what is sampled back from that noise."""

    card = Card(
        title="FakeInversion",
        year=2024,
        paper="Cazenavette et al.: FakeInversion: Learning to Detect Images from Unseen Text-to-Image Models by "
        "Inverting Stable Diffusion, CVPR 2024, arXiv 2406.08603",
        code="none published",
        licence="none",
        pretraining="ImageNet-1k (ResNet-50); BLIP base; Stable Diffusion v1.5",
        label_convention="1 = fake",
        geometry="torchvision: shorter side 512, bilinear, centre crop 512; then all images to 224 x 224, bilinear "
        "(the authors' is not known)",
        version=1,
        weights={"resnet50_v2": "classifier"},
        deviations=(
            "written from the paper's description, without its code or weights, so it cannot be held to the authors' "
            "numbers. From the description: BLIP's caption, DDIM inversion and reconstruction under it, both decoded, "
            "the three images in this order in one ResNet-50",
            "assumed, as in the script of hmu013/FakeInversion-single-image-script@a7ce320: Stable Diffusion v1.5, the "
            "posterior's mean, 50 steps in each direction without guidance, 512 px, a classifier at 224 px with "
            "ImageNet's mean and standard deviation, one logit",
            "assumed, as in the training script of Chuchad/FIRE@3978ef7 for a network of these images: Adam, its rate "
            "and batch, the rule by which the rate falls (here by validation loss, there by that of training), no "
            "augmentation, ImageNet's weights, a head from N(0, 0.02)",
            "assumed here: BLIP base at its own scale, at most 20 tokens (the script above has BLIP-2, whose input it "
            "divides by 255 twice); batch norms; the first convolution begins as three copies of ImageNet's, each a "
            "third of it; each inversion step takes the noise that is predicted at the level that it goes to",
            "trained on the source's images alone; the paper's training set is images of Stable Diffusion and "
            "photographs of LAION",
            "decoded images are kept with 8 bits, and resized by Pillow; the script above resizes floats",
            "`residual` has the layers of both repositories: the difference from the reconstruction after "
            "normalisation as a fourth image, instance norms, a quarter of ImageNet's first convolution for each",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"residual": {"residual": True, "norm": "instance"}}

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The inversion and the reconstruction of every image, in one artefact."""
        p = self.params
        return {"inversion": text_inversion.recipe(blip.recipe(), steps=p.steps, size=p.sd_size)}

    def roles(self) -> Sequence[str]:
        """The ImageNet classifier, unless ``pretrained`` is False."""
        return ("resnet50_v2",) if self.params.pretrained else ()

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return a ResNet with one logit, which sees three or four images at once."""
        from methods._shared.backbones import imagenet_resnet

        p = self.params
        images = 4 if p.residual else 3
        return imagenet_resnet(p, weights.get("resnet50_v2"), images, 1 / images, p.norm)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [9 or 12, image_size, image_size] with ImageNet's mean and standard deviation.

        The channels are those of the image, of the decoded noise, of the reconstruction, and with ``residual`` of the
        absolute difference of first and third. Training is not augmented.
        """
        import torch

        from methods._shared.tensors import imagenet

        p, made = self.params, sample.artefacts["inversion"]
        shown = (text_inversion.square(sample.rgb, p.sd_size), made[: len(made) // 2], made[len(made) // 2 :])
        images = [imagenet(_resized(rgb, p.image_size)) for rgb in shown]
        if p.residual:
            images.append((images[0] - images[2]).abs())
        return {"image": torch.cat(images)}

    def schedule(self) -> Schedule:
        """Adam; the rate falls to a tenth after more epochs than ``patience`` without a gain, to 1e-6 at last."""
        p = self.params
        rule = Plateau(p.patience + 1, (2e-4, 2e-4), 0.1, 1e-6, "loss")
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=rule)


def _resized(rgb: RGB, side: int) -> RGB:
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BILINEAR))


METHOD = FakeInversion
