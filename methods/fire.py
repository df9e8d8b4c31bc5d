"""FIRE: what an autoencoder loses of an image, and of the same image without its middle frequencies (CVPR 2025)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.geometry import crop, pad_to_square, resize_short_side
from bench.detector import Card, Detector, Plateau, Sample, Schedule, Share, Stage

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``crop_size``: side of the crop. ``resize``: whether the shorter side is resized to it first.

    ``low`` and ``high``: radii in pixels of the ring of middle frequencies in the spectrum of the crop. ``against``:
    whether the filtered image's reconstruction is compared with the ``image`` or with the ``filtered`` image.
    ``class_share``, ``middle_share`` and ``mask_share``: weights of the loss's parts. ``pretrained``: whether the
    classifier starts from ImageNet's weights; ``depths``, ``width`` and ``stride`` define it, the defaults are those of
    ResNet-50. ``patience``: epochs without a gain in validation loss that leave the learning rate as it is.
    """

    crop_size: int = 256
    resize: bool = False
    low: int = 40
    high: int = 120
    against: Literal["image", "filtered"] = "image"
    class_share: Share = 0.6
    middle_share: Share = 0.2
    mask_share: Share = 0.2
    pretrained: bool = True
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    stride: int = 32
    lr: float = 1e-4
    patience: int = 5
    epochs: int = 100
    batch_size: int = 24

    def __post_init__(self) -> None:
        """Raise ValueError for a ring without an inside."""
        if not 0 <= self.low < self.high:
            raise ValueError(f"low, {self.low}, must be below high, {self.high}")


class FIRE(Detector):
    """Two reconstruction errors in a ResNet-50, trained together with the masks that filter the second image."""

    card = Card(
        title="FIRE",
        year=2025,
        paper="Chu et al.: FIRE: Robust Detection of Diffusion-Generated Images via Frequency-Guided Reconstruction "
        "Error, CVPR 2025, arXiv 2412.07140",
        code="Chuchad/FIRE@3978ef7",
        licence="MIT",
        pretraining="autoencoder of Stable Diffusion v1.5; ImageNet-1k (ResNet-50, torchvision's second weights, "
        "without batch norms)",
        label_convention="1 = fake",
        geometry="torchvision: centre crop 256 without resizing, zero-padded if smaller",
        version=1,
        weights={"sd15_vae": "frozen autoencoder", "resnet50_v2": "classifier"},
        deviations=(
            "the autoencoder's noise is drawn per image, in testing from a seed that its pixels decide; the official "
            "code draws it from an unseeded global generator, so that a score changes from run to run",
            "a filtered image is divided by the range of its own values; the official code takes that of the whole "
            "batch, so that a score depends on what else is tested",
            "the range is at least a thousandth of a grey level: the official code divides by 0 for a black image",
            "the autoencoder and the filter run in single precision; the official code runs the autoencoder in half",
            "the learning rate falls by validation loss (a gain is 0.0002 or more) and the best epoch is kept; the "
            "official script has no validation set, takes the loss of training (a gain is 0.2 %), keeps a file every "
            "5 epochs and the best 3, and also stops when that loss rose 10 times in a row",
            "the autoencoder is given 0…1, not the −1…1 that it was trained on, and its output is not clamped: as in "
            "the official code",
            "the filtered image's reconstruction is compared with the image, as in the last official commit; the "
            "paper and earlier commits compare it with the filtered image, as does the variant `paper`",
            "trained once, on the source; the official test on newer generators first trains on ImageNet and ADM, "
            "then on DALL·E 3 and others, and resizes in testing alone, as does the variant `resize` in both",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"resize": {"resize": True}, "paper": {"against": "filtered"}}

    def roles(self) -> Sequence[str]:
        """The autoencoder, and the ImageNet classifier unless ``pretrained`` is False."""
        return ("sd15_vae", "resnet50_v2") if self.params.pretrained else ("sd15_vae",)

    def companions(self) -> Sequence[str]:
        """The autoencoder, which is not saved."""
        return ("sd15_vae",)

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the filter and a ResNet with instance norms, six input channels and one logit."""
        from bench.nets.autoencoder import Frozen
        from bench.nets.fire import FIRE as Network
        from bench.nets.fire import Filter
        from methods._shared.backbones import imagenet_resnet

        p = self.params
        resnet = imagenet_resnet(p, weights.get("resnet50_v2"), 2, 0.25, "instance")
        return Network(Frozen(weights["sd15_vae"]), resnet, Filter(p.crop_size, (p.low, p.high)), p.against != "image")

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A trained checkpoint without its copy of the autoencoder."""
        return {name: tensor for name, tensor in state.items() if not name.startswith("vae.")}

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """How the autoencoder in the checkpoint differs from the frozen one; '' if it does not."""
        from bench.nets.fire import FIRE as Network

        copy = {name.removeprefix("vae."): t for name, t in state.items() if name.startswith("vae.")}
        return model.autoencoder.unlike(copy) if copy and isinstance(model, Network) else ""

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size] in 0…1; ``seed``: int64, of the autoencoder's noise.

        Training differs in the seed alone: nothing is augmented.
        """
        import torch

        from methods._shared.tensors import chw

        p = self.params
        rgb = resize_short_side(sample.rgb, p.crop_size) if p.resize else sample.rgb
        rgb = crop(pad_to_square(rgb, p.crop_size), p.crop_size, None)
        if stage == "train":
            seed = int(rng.integers(2**63))
        else:
            seed = int.from_bytes(hashlib.sha256(rgb.tobytes()).digest()[:8], "little") >> 1
        return {"image": chw(rgb), "seed": torch.tensor(seed)}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return a weighted sum: cross-entropy, distance of middle frequencies from the error, that of the masks."""
        from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

        p, made = self.params, model(batch["image"], batch["seed"])
        crossed = binary_cross_entropy_with_logits(made.logits[:, 0].float(), batch["label"].float())
        near = mse_loss(made.middle, made.error)
        total: Tensor = p.class_share * crossed + p.middle_share * near + p.mask_share * made.away
        return total

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit; positive means fake."""
        logits: Tensor = model(batch["image"], batch["seed"]).logits[:, 0]
        return logits

    def schedule(self) -> Schedule:
        """Adam; the rate falls to a tenth after more epochs than ``patience`` without a gain, to 1e-6 at last."""
        p = self.params
        rule = Plateau(p.patience + 1, (2e-4, 2e-4), 0.1, 1e-6, "loss")
        return Schedule(p.epochs, p.batch_size, "adam", p.lr, plateau=rule)


METHOD = FIRE
