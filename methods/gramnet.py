"""GramNet: global texture from Gram matrices at six depths of a ResNet-18 (CVPR 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artefacts.geometry import crop, resize_short_side
from bench.detector import Card, Sample, Schedule, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``recipe``: ``official``, or ``drct`` (used to retrain it for DRCT's and SARE's tables).

    ``port``: whether inputs are prepared as in AIGCDetectBenchmark. ``image_size``: side of the network's input;
    ``crop_size``: the same with ``drct`` or ``port``. ``resize_from``: range of the random side to which training first
    resizes. ``width``, ``depths`` and ``strides`` define the trunk; the defaults are ResNet-18. ``pretrained``: whether
    the trunk starts from ImageNet weights. ``cosine`` applies to ``drct`` only.
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


class GramNet(recipes.TwoLogits):
    """A classifier of BGR pixels in 0…255, resized to a square and not normalised, as in the official code."""

    card = Card(
        title="GramNet",
        year=2020,
        paper="Liu et al.: Global Texture Enhancement for Fake Face Detection in the Wild, CVPR 2020, arXiv 2002.00133",
        code="liuzhengzhe/Global_Texture_Enhancement_for_Fake_Face_Detection_in_the-Wild@a416145",
        licence="none stated; reimplemented from the paper and the list of layers",
        pretraining="ImageNet-1k (ResNet-18 trunk)",
        label_convention="official code: 0 = fake, 1 = real; here 1 = fake",
        geometry="OpenCV: resized to 512 x 512 without keeping the aspect ratio, bilinear, in 8 bits",
        version=2,
        weights={"resnet18": "trunk"},
        deviations=(
            "keeps the last epoch; the official script keeps the step that scores best on images of the test domains",
            "`aigc` is for scoring checkpoints of AIGCDetectBenchmark's port (one logit); if trained, it uses this "
            "adapter's schedule and loss, without the port's blur, JPEG and flip",
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"drct": recipes.DRCT, "aigc": {"port": True}}

    def roles(self) -> Sequence[str]:
        """The ImageNet trunk, unless ``pretrained`` is False."""
        return ("resnet18",) if self.params.pretrained else ()

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the network with two logits (real, fake)."""
        from bench.nets.gram import GramNet as Network
        from bench.nets.resnet import Shape, load_imagenet

        p = self.params
        network = Network(Shape(False, p.depths, p.width, p.strides))
        if "resnet18" in weights:
            load_imagenet(network, weights["resnet18"])
        return network

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Swap the rows of the official head, (fake, real). DRCT's head is (real, fake) already.

        The single logit of AIGCDetectBenchmark's port becomes (0, logit); without ``port`` its shape does not fit.
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
        """``image``: float [3, image_size, image_size], BGR in 0…255; training first resizes to a random smaller side.

        With recipe ``drct``, it is a crop at native resolution, RGB with ImageNet's mean and standard deviation. With
        ``port``, it is the same after resizing the shorter side to 8/7 of ``crop_size``.
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

    def schedule(self) -> Schedule:
        """Adam with a fixed learning rate for a fixed number of epochs; or DRCT's schedule."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, weight_decay=p.weight_decay)


METHOD = GramNet
