"""LNP: a ResNet-50 on learned noise patterns and their spectrum (ECCV 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.engines import noise_residual
from bench.artefacts.geometry import crop, pad_to_square, resize_short_side
from bench.detector import Card, Plateau, Sample, Schedule, Stage
from bench.recipe import Recipe
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``recipe``: ``official``, ``drct`` (augments the noise) or ``aigc`` (AIGCDetectBenchmark's: no spectrum).

    ``pattern``: in the ``official`` map, bytes wrap around (0, 255, 254, …) and red and blue are swapped; ``clean`` is
    the noise itself. ``test_resize`` False tests on a centre crop of the noise without resizing, as CNNDetection's test
    script does. ``load_size`` and ``crop_size`` are sides of the classifier's input. ``depths``, ``width`` and
    ``stride`` define the ResNet; the defaults are ResNet-50. ``weight_decay`` and ``cosine`` apply to ``drct`` only.
    """

    recipe: Literal["official", "drct", "aigc"] = "official"
    pattern: Literal["official", "clean"] = "official"
    test_resize: bool = True
    load_size: int = 256
    crop_size: int = 224
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    lr: float = 1e-4
    weight_decay: float = 0.0
    cosine: int = 5
    epochs: int = 10_000
    batch_size: int = 64


class LNP(recipes.OneLogit):
    """A ResNet-50 on the noise that a denoiser removes, not on the image itself."""

    card = Card(
        title="LNP",
        year=2022,
        paper="Liu et al.: Detecting Generated Images by Real Images, ECCV 2022",
        code="Tangsenghenshou/Detecting-Generated-Images-by-Real-Images@bba18a2",
        licence="none stated; denoiser: Academic Public License; reimplemented from the paper and the list of layers",
        pretraining="ImageNet-1k (ResNet-50, except its first convolution); CycleISP on SIDD (denoiser)",
        label_convention="1 = fake",
        geometry="torchvision: shorter side 256, centre crop 224 of the noise; no test script was published, and "
        "CNNDetection's test script crops without resizing (variant `native`)",
        version=2,
        weights={"resnet50": "classifier"},
        deviations=(
            "no test script was published: the shorter side is resized to 256 before the centre crop, as in training "
            "and in the port; `native` crops without resizing",
            "the trunk's weights are copied by name; the official script copies them by position",
            "the best checkpoint is kept after a reduction of the learning rate; the official early stop overwrites it",
            "`aigc` is the three-channel network whose weights AIGCDetectBenchmark released (the paper's were not); if "
            "trained, it does not use the optional blur and JPEG of the port's script",
            recipes.DRCT_ONE_LOGIT,
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "clean": {"pattern": "clean"},
        "native": {"test_resize": False},
        "drct": recipes.DRCT,
        "aigc": {"recipe": "aigc"},
    }

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The noise of every image, as a denoiser estimates it."""
        return {"noise": noise_residual.recipe()}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the five-channel ResNet, or the port's with three; head weights are initialised from N(0, 0.02)."""
        from torch import nn

        from bench.nets.resnet import Shape, load_imagenet, mini_strides
        from bench.nets.spectral_resnet import SpectralResNet
        from methods._shared.backbones import imagenet_resnet

        p = self.params
        if p.recipe == "aigc":
            return imagenet_resnet(p, weights.get("resnet50"))
        network = SpectralResNet(Shape(True, p.depths, p.width, tuple(mini_strides(p.stride))))
        if "resnet50" in weights:
            load_imagenet(network, weights["resnet50"])
        nn.init.normal_(network.fc.weight, 0.0, 0.02)
        return network

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], the noise with ImageNet's mean and standard deviation.

        Training crops and flips it at random.
        """
        from methods._shared.tensors import imagenet

        p, noise = self.params, np.asarray(sample.artefacts["noise"])
        if p.pattern == "official":
            noise = (noise.astype(np.uint16) * 255).astype(np.uint8)[:, :, ::-1]  # 255 n mod 256 = −n mod 256
        if p.recipe == "drct":
            return {"image": imagenet(recipes.drct_view(noise, stage, rng, p.crop_size))}
        if stage == "train" or p.test_resize:
            noise = resize_short_side(noise, p.load_size)
        noise = pad_to_square(noise, p.crop_size)
        noise = crop(noise, p.crop_size, rng if stage == "train" else None)
        if stage == "train" and rng.random() < 0.5:
            noise = noise[:, ::-1]
        return {"image": imagenet(noise)}

    def schedule(self) -> Schedule:
        """Adam with CNNDetection's early stop on validation accuracy; or DRCT's schedule."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=Plateau())


METHOD = LNP
