"""AIDE: traces in the windows of lowest and highest frequencies, and a frozen CLIP ConvNeXt (ICLR 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.artefacts.geometry import pad_to_square
from bench.detector import Card, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn

_TRUNK = "openclip_convnext_xxl."
#: The classifiers of ImageNet's classes that the authors' ResNets own and never use.
_UNUSED = ("model_min.fc.", "model_max.fc.")


@dataclass(frozen=True)
class Params:
    """``image_size``: side of the images and of the enlarged windows. ``window``, ``step``: of the windows, in pixels.

    ``depths``, ``dims``, ``patch`` and ``stride`` define the frozen ConvNeXt, ``resnet_depths``, ``resnet_width`` and
    ``resnet_stride`` both ResNets; the defaults are ConvNeXt-XXLarge and ResNet-50. ``projection`` and ``hidden``:
    sizes of the ConvNeXt's projection and of the head. ``blur_prob`` and ``jpg_prob``: probabilities of blur and JPEG
    compression in training. ``smoothing``: label smoothing.
    """

    image_size: int = 256
    window: int = 32
    step: int = 16
    depths: tuple[int, ...] = (3, 4, 30, 3)
    dims: tuple[int, ...] = (384, 768, 1536, 3072)
    patch: int = 4
    stride: int = 32
    resnet_depths: tuple[int, ...] = (3, 4, 6, 3)
    resnet_width: int = 64
    resnet_stride: int = 32
    projection: int = 256
    hidden: int = 1024
    blur_prob: Share = 0.1
    jpg_prob: Share = 0.1
    smoothing: Share = 0.1
    lr: float = 1e-4
    epochs: int = 20
    batch_size: int = 256


class AIDE(recipes.TwoLogits):
    """ResNets on the windows of lowest and highest frequencies (by DCT), and a frozen CLIP ConvNeXt, in one head."""

    card = Card(
        title="AIDE",
        year=2025,
        paper="Yan et al.: A Sanity Check for AI-generated Image Detection, ICLR 2025, arXiv 2406.19435",
        code="shilinyan99/AIDE@6725b71",
        licence="MIT",
        pretraining="OpenCLIP ConvNeXt-XXLarge (LAION-2B); ImageNet-1k (ResNet-50, except its first convolution)",
        label_convention="0 = real, 1 = fake",
        geometry="torchvision on tensors: resized to 256 x 256 without keeping the aspect ratio, bilinear without "
        "antialiasing; windows of 32 at native resolution, enlarged to 256",
        version=1,
        weights={"clip_convnext_xxl": "frozen encoder", "resnet50": "both ResNets"},
        deviations=(
            "the projection of the ConvNeXt is not trained, as in the official code and unlike in the paper; released "
            "weights contain it",
            "tensors are resized without antialiasing, the default of the torchvision that the authors pin; later "
            "ones antialias",
            "the frozen ConvNeXt stays in evaluation mode; the official loop switches on its stochastic depth in "
            "training",
            "blur and JPEG in training act on 8-bit pixels by OpenCV and Pillow; the official code uses kornia",
            "the learning rate falls along a cosine from epoch to epoch, down to 0; officially at every step, to 1e-6",
            "images smaller than a window are zero-padded, where the official code fails",
            "the authors do not name the file of the ConvNeXt; here it is LAION's soup",
        ),
    )
    Params = Params
    in_all = False

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return both ResNets and the head, with a frozen ConvNeXt."""
        from bench.nets.resnet import ResNet, Shape, load_imagenet, mini_strides
        from methods._shared.aide import Experts, Widths
        from methods._shared.backbones import convnext

        p = self.params
        shape = Shape(True, p.resnet_depths, p.resnet_width, tuple(mini_strides(p.resnet_stride)), inside=30)
        lows, highs = ResNet(shape, classes=0), ResNet(shape, classes=0)
        for network in (lows, highs) if weights.get("resnet50") is not None else ():
            load_imagenet(network, weights["resnet50"])
        trunk = convnext(p, 0, weights["clip_convnext_xxl"], 1e-5)
        return Experts(trunk, lows, highs, Widths(p.projection, p.hidden))

    def companions(self) -> Sequence[str]:
        """The ConvNeXt, which fits do not contain."""
        return ("clip_convnext_xxl",)

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The checkpoint without its copy of the ConvNeXt and without classifiers that are not used."""
        return {name: tensor for name, tensor in state.items() if not name.startswith((_TRUNK, *_UNUSED))}

    def copies(self, state: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
        """The frozen ConvNeXt in the checkpoint."""
        return {"clip_convnext_xxl": {n.removeprefix(_TRUNK): t for n, t in state.items() if n.startswith(_TRUNK)}}

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """How the ConvNeXt in the checkpoint differs from the frozen one; '' if it does not."""
        from methods._shared.aide import Experts, other_trunk

        return other_trunk(model, self.copies(state)["clip_convnext_xxl"]) if isinstance(model, Experts) else ""

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [5, 3, image_size, image_size], ImageNet's mean and standard deviation.

        The windows with the lowest, highest, second lowest and second highest frequencies, then the whole image.
        Training blurs and compresses; it neither crops nor flips.
        """
        from methods._shared.aide import blurred_or_compressed, prepared
        from methods._shared.tensors import chw

        p, rgb = self.params, sample.rgb
        if stage == "train":
            rgb = blurred_or_compressed(rgb, p.blur_prob, p.jpg_prob, rng)
        return {"image": prepared(chw(pad_to_square(rgb, p.window)), p.image_size, p.window, p.step)}

    def schedule(self) -> Schedule:
        """AdamW without weight decay, a cosine learning rate; the epoch with the best validation accuracy is kept."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adamw", p.lr, cosine=p.epochs, keep_best=True)


METHOD = AIDE
