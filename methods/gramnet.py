"""GramNet: global texture by Gram matrices at six depths of a ResNet-18 (CVPR 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artefacts.geometry import crop, resize_short_side
from bench.detector import Card, Detector, Sample, Schedule, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``recipe``: ``official``, or ``drct`` (as DRCT's and SARE's tables retrain it, on crops of ``crop_size``).

    ``port``: what AIGCDetectBenchmark's network sees, on crops of ``crop_size`` too.
    ``image_size``: side of the network's input; ``resize_from``: range of the random side that training passes.
    ``width``, ``depths`` and ``strides`` shape the trunk; the defaults are ResNet-18. ``cosine`` belongs to ``drct``.
    """

    recipe: recipes.Name = "official"
    port: bool = False
    image_size: int = 512
    crop_size: int = 224
    resize_from: tuple[int, int] = (64, 256)
    width: int = 64
    depths: tuple[int, ...] = (2, 2, 2, 2)
    strides: tuple[int, ...] = (2, 2, 1, 2, 2, 2)
    pretrained: bool = True
    lr: float = 1e-5
    weight_decay: float = 1e-4
    cosine: int = 5
    epochs: int = 5
    batch_size: int = 16


class GramNet(Detector):
    """Learns from BGR pixels 0…255 without mean or deviation, squashed to a square, as the official code does."""

    card = Card(
        title="GramNet",
        year=2020,
        paper="Liu et al.: Global Texture Enhancement for Fake Face Detection in the Wild, CVPR 2020, arXiv 2002.00133",
        code="liuzhengzhe/Global_Texture_Enhancement_for_Fake_Face_Detection_in_the-Wild@a416145",
        licence="none stated; written from the paper and the layer list",
        pretraining="ImageNet-1k (ResNet-18 trunk)",
        label_convention="official code: 0 = fake, 1 = real; here 1 = fake",
        geometry="OpenCV: squashed to 512 x 512, bilinear, in 8 bits",
        version=2,
        weights={"resnet18": "trunk"},
        deviations=(
            "keeps the last epoch; the official script keeps the step that scores best on images of the test domains",
            "`aigc` is for scoring files of AIGCDetectBenchmark's port (one logit); trained, it keeps this adapter's "
            "schedule and loss, without the port's blur, JPEG and flip",
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"drct": recipes.DRCT, "aigc": {"port": True}}

    def roles(self) -> Sequence[str]:
        """The ImageNet trunk, unless training starts from scratch."""
        return ("resnet18",) if self.params.pretrained else ()

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """The network with two logits (real, fake)."""
        from bench.nets.gram import GramNet as Network
        from bench.nets.resnet import Shape, load_imagenet

        p = self.params
        network = Network(Shape(False, p.depths, p.width, p.strides))
        if "resnet18" in weights:
            load_imagenet(network, weights["resnet18"])
        return network

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The official head says (fake, real): its rows change places. DRCT's says (real, fake) as ours.

        The single logit of AIGCDetectBenchmark's port becomes (0, logit); elsewhere it is misshapen.
        """
        import torch

        if self.params.recipe == "drct":
            return state
        head = {name: state[name] for name in ("fcnewr.3.weight", "fcnewr.3.bias") if name in state}
        if self.params.port:
            single = {name: t for name, t in head.items() if len(t) == 1}
            return {**state, **{name: torch.cat([torch.zeros_like(t), t]) for name, t in single.items()}}
        return {**state, **{name: t.flip(0) for name, t in head.items()}}

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, image_size, image_size], BGR 0…255; in training by way of a random smaller side.

        In DRCT's recipe a native crop in RGB with ImageNet's mean and deviation; in the port the same of the image with
        its shorter side at 8/7 of the crop.
        """
        import cv2
        import torch

        from methods._shared.tensors import imagenet

        if self.params.recipe == "drct":
            return {"image": imagenet(recipes.drct_view(sample.rgb, stage, rng, self.params.crop_size))}
        if self.params.port:
            side = self.params.crop_size
            resized = resize_short_side(sample.rgb, side * 8 // 7)
            return {"image": imagenet(crop(resized, side, rng if stage == "train" else None))}
        image = np.ascontiguousarray(sample.rgb[:, :, ::-1])
        sides = [self.params.image_size]
        if stage == "train":
            low, high = self.params.resize_from
            sides.insert(0, int(rng.integers(low, high + 1)))
        for side in sides:
            image = np.asarray(cv2.resize(image, (side, side)), np.uint8)
        return {"image": torch.from_numpy(image).permute(2, 0, 1).float()}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Negative log-likelihood of the log-softmax."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(model(batch["image"]), batch["label"])

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Difference of the two logits."""
        real, fake = model(batch["image"]).unbind(1)
        difference: Tensor = fake - real
        return difference

    def schedule(self) -> Schedule:
        """Adam at a fixed rate for a fixed number of epochs, or DRCT's."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, weight_decay=p.weight_decay)


METHOD = GramNet
