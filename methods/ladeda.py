"""LaDeDa: the mean score of patches of 9 × 9 pixels (2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.detector import Card, Plateau, Sample, Schedule, Stage
from methods._shared import npr, recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``tiny``: the small network of four convolutions.

    ``sees``: what goes into the network: ``npr``, ``two_thirds`` of it, or a ``gradient``. ``geometry``, ``load_size``,
    ``crop_size``: those of NPR. ``depths`` and ``width`` define the large network's trunk; the defaults are those of
    ResNet-50. ``patience``, ``factor``: epochs without a gain after which the learning rate falls, and what is left of
    it.
    """

    tiny: bool = False
    sees: Literal["npr", "two_thirds", "gradient"] = "npr"
    geometry: npr.Geometry = "resize"
    load_size: int = 256
    crop_size: int = 224
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    lr: float = 2e-4
    patience: int = 15
    factor: float = 0.9
    epochs: int = 1000
    batch_size: int = 32


class LaDeDa(recipes.OneLogit):
    """A ResNet-50 with kernels of one pixel but for three, which sees patches of 9 × 9 pixels and takes their mean."""

    card = Card(
        title="LaDeDa",
        year=2024,
        paper="Cavia et al.: Real-Time Deepfake Detection in the Real-World, arXiv 2406.09398",
        code="barcavia/RealTime-DeepfakeDetection-in-the-RealWorld@e734562",
        licence="a research licence (no commercial use); reimplemented from the paper and the list of layers",
        pretraining="none",
        label_convention="1 = fake",
        geometry="torchvision: resized to 256 x 256 without keeping the aspect ratio, bilinear",
        version=1,
        deviations=(
            "`tiny` is trained on labels, like `ladeda`; the authors distil it from the scores that LaDeDa gives to "
            "patches",
            "`forensynths` and `tiny_forensynths` are for the authors' weights of ForenSynths: the large ones were "
            "trained on two thirds of the relationships (the authors' thread 3); statistics in the small ones fit "
            "relationships, not gradients",
            "the best epoch on validation images is kept; the official script keeps the last",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {"tiny": True, "sees": "gradient"},
        "forensynths": {"sees": "two_thirds"},
        "tiny_forensynths": {"tiny": True},
    }

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the network with one logit; its head is initialised from N(0, 0.02)."""
        from bench.nets.ladeda import LaDeDa as Network
        from bench.nets.ladeda import Shape, TinyLaDeDa

        p = self.params
        return TinyLaDeDa(p.sees) if p.tiny else Network(Shape(p.depths, p.width), p.sees)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, side, side] with ImageNet's mean and standard deviation, as in NPR's code."""
        return npr.view(sample.rgb, stage, rng, self.params)

    def schedule(self) -> Schedule:
        """Adam; the learning rate falls by a tenth when validation accuracy does not rise, down to 1e-6."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=Plateau(p.patience, factor=p.factor))


METHOD = LaDeDa
