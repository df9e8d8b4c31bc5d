"""DIRE: a ResNet-50 on what a diffusion model's inversion and reconstruction leaves out (ICCV 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.detector import Card, Detector, Plateau, Sample, Schedule, Stage
from bench.kit.geometry import center_crop_arr, crop, resize_short_side
from bench.recipe import Recipe
from bench.recon.engines import ddim_inversion

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``image_size`` and ``steps`` of the reconstruction; ``load_size`` and ``crop_size`` of the classifier's input.

    ``depths``, ``width`` and ``stride`` shape the ResNet; the defaults are ResNet-50.
    """

    image_size: int = 256
    steps: int = 20
    load_size: int = 256
    crop_size: int = 224
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    pretrained: bool = True
    lr: float = 1e-4
    epochs: int = 400
    batch_size: int = 64


class DIRE(Detector):
    """Sees only |x − x'|, never the image itself."""

    card = Card(
        title="DIRE",
        paper="Wang et al.: DIRE for Diffusion-Generated Image Detection, ICCV 2023 (arXiv 2303.09295)",
        code="ZhendongWang6/DIRE@1f89fff",
        licence="none stated; written from the paper and the recipe",
        pretraining="ImageNet-1k (ResNet-50); the diffusion model's own data",
        label_convention="1 = fake",
        version=1,
        weights={"resnet50": "classifier"},
        deviations=(
            "reconstructs with Stable Diffusion v1.4 and an empty prompt, as the SARE paper's tables do; "
            "the official code uses ADM in pixel space",
            "no clipping of the predicted x0 and no off-by-one at the last inversion step, "
            "which belong to the official ADM code",
            "reconstructions are kept as PNG whatever the input's container; "
            "the official code writes maps in the input's format, which leaks the class",
            "after a fall of the rate the best checkpoint is kept; the official early stop overwrites it",
        ),
    )
    Params = Params

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The reconstruction of every image, in training and in testing."""
        return {"reconstruction": ddim_inversion.recipe(self.params.steps, self.params.image_size)}

    def roles(self) -> Sequence[str]:
        """The ImageNet classifier, unless training starts from scratch."""
        return ("resnet50",) if self.params.pretrained else ()

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """A ResNet with one logit; the head drawn from N(0, 0.02)."""
        from torch import nn

        from bench.nets.resnet import ResNet, Shape, load_imagenet, mini_strides

        p = self.params
        network = ResNet(Shape(True, p.depths, p.width, tuple(mini_strides(p.stride))), classes=1)
        if p.pretrained:
            from safetensors.torch import load_file

            load_imagenet(network, load_file(weights["resnet50"] / "model.safetensors"))
        nn.init.normal_(network.fc.weight, 0.0, 0.02)
        return network

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``dire``: float [3, crop_size, crop_size], ImageNet-normalised |x − x'|; cropped and flipped in training."""
        from methods._parts.tensors import imagenet

        image = center_crop_arr(sample.rgb, self.params.image_size)
        difference = np.abs(image.astype(np.int16) - sample.artefacts["reconstruction"]).astype(np.uint8)
        difference = resize_short_side(difference, self.params.load_size)
        difference = crop(difference, self.params.crop_size, rng if stage == "train" else None)
        if stage == "train" and rng.random() < 0.5:
            difference = difference[:, ::-1]
        return {"dire": imagenet(difference)}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Binary cross-entropy of the single logit."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(self.logit(model, batch), batch["label"].float())

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The network's logit; positive means fake."""
        logits: Tensor = model(batch["dire"])[:, 0]
        return logits

    def schedule(self) -> Schedule:
        """Adam with the CNNDetection early stop on validation accuracy."""
        return Schedule(self.params.epochs, self.params.batch_size, "adam", self.params.lr, plateau=Plateau())


METHOD = DIRE
