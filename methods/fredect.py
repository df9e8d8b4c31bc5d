"""FreDect: a classifier of log-DCT spectra (ICML 2020), in the form that later benchmarks use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.geometry import crop, pad_to_square, resize_short_side
from bench.detector import Card, Plateau, Sample, Schedule, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``head``: ``resnet`` (a ResNet-50 from scratch, as in a later port), or the paper's ``cnn`` or ``linear``.

    ``recipe``: ``official`` (shorter side resized to ``load_size``, centre crop, no augmentation) or ``drct``.
    ``weight_decay``: the L2 penalty of ``linear``, or DRCT's weight decay. ``depths``, ``width`` and ``stride`` define
    the ResNet. ``cosine`` applies to ``drct`` only.
    """

    recipe: recipes.Name = "official"
    head: Literal["resnet", "cnn", "linear"] = "resnet"
    load_size: int = 256
    crop_size: int = 224
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    lr: float = 1e-4
    weight_decay: float = 0.0
    cosine: int = 5
    epochs: int = 1000
    batch_size: int = 64


class FreDect(recipes.OneLogit):
    """A classifier of the log-DCT of a crop; each coefficient is standardised over the training images."""

    card = Card(
        title="FreDect",
        year=2020,
        paper="Frank et al.: Leveraging Frequency Analysis for Deep Fake Image Recognition, ICML 2020, "
        "arXiv 2003.08685",
        code="RUB-SysSec/GANDCTAnalysis@988c4c3; PyTorch port: Ekko-zn/AIGCDetectBenchmark@5cd41a6",
        licence="MIT (official code); none stated (port); reimplemented from the paper and its training recipe",
        pretraining="none",
        label_convention="1 = fake; the official FFHQ model: 0 = fake",
        geometry="as in the port, torchvision: shorter side 256, centre crop 224",
        version=2,
        deviations=(
            "a ResNet-50 from scratch on 224 px, as in the port whose numbers later papers quote; the paper's own "
            "heads are the variants `cnn` and `linear`",
            "the official networks are saved TensorFlow models, which `--checkpoint` cannot read",
            "`cnn` and `linear` use 224 px and the port's stopping rule; the official code uses 128 px and stops by "
            "the loss",
            "mean and standard deviation are computed on the fit's own training images; the port ships those of ProGAN",
            recipes.DRCT_ONE_LOGIT,
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "drct": recipes.DRCT,
        "cnn": {"head": "cnn", "lr": 1e-3, "batch_size": 32, "epochs": 50},
        "linear": {"head": "linear", "lr": 1e-3, "batch_size": 32, "epochs": 50, "weight_decay": 0.02},
    }
    calibrates = True
    beside_checkpoint = ("mean", "std")

    def companions(self) -> Sequence[str]:
        """The published mean and variance of every coefficient."""
        return ("dct_statistics",)

    def roles(self) -> Sequence[str]:
        """No pretrained weights."""
        return ()

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the head with standardised input."""
        from methods._shared.backbones import imagenet_resnet
        from methods._shared.spectrum import Standardised, linear, shallow_cnn

        p = self.params
        makers = {"cnn": shallow_cnn, "linear": linear}
        head = makers[p.head](p.crop_size) if p.head in makers else imagenet_resnet(p, None)
        return Standardised(head, p.crop_size, weights.get("dct_statistics"))

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Prefix the names of a port's network with ``network.``; its statistics, if present, keep their names."""
        unchanged = ("network.", "mean", "std")
        return {name if name.startswith(unchanged) else f"network.{name}": t for name, t in state.items()}

    def calibrate(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Compute the mean and standard deviation of every coefficient over the training images."""
        from methods._shared.spectrum import Standardised

        if isinstance(model, Standardised):
            model.learn(batches)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], the log-DCT of the crop."""
        from methods._shared.spectrum import log_dct

        p = self.params
        if p.recipe == "drct":
            return {"image": log_dct(recipes.drct_view(sample.rgb, stage, rng, p.crop_size))}
        resized = pad_to_square(resize_short_side(sample.rgb, p.load_size), p.crop_size)
        return {"image": log_dct(crop(resized, p.crop_size, None))}

    def schedule(self) -> Schedule:
        """Adam with early stop on validation accuracy; or DRCT's schedule."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, weight_decay=p.weight_decay, plateau=Plateau())


METHOD = FreDect
