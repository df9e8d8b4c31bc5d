"""RINE: class tokens of all blocks of a frozen CLIP, each channel with its own weights (ECCV 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artefacts.geometry import crop, pad_to_square
from bench.detector import Card, Detector, Sample, Schedule, Share, Stage

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``layers`` and ``width``: linear layers of each projection, and their size.

    ``factor``: weight of the contrastive loss. ``crop_size``: side of CLIP's input. ``blur_prob`` and ``jpg_prob``:
    probabilities of blur and JPEG compression in training. ``qualities``: the JPEG qualities, of which the official
    script names two; empty for 30 to 100.
    """

    layers: int = 2
    width: int = 1024
    factor: float = 0.2
    crop_size: int = 224
    blur_prob: Share = 0.5
    jpg_prob: Share = 0.5
    qualities: tuple[int, ...] = (30, 100)
    lr: float = 1e-3
    epochs: int = 1
    batch_size: int = 128


class RINE(Detector):
    """A frozen CLIP whose blocks are weighted, two projections and a head, with a contrastive loss beside."""

    card = Card(
        title="RINE",
        year=2024,
        paper="Koutlis et al.: Leveraging Representations from Intermediate Encoder-blocks for Synthetic "
        "Image Detection, ECCV 2024, arXiv 2402.19091",
        code="mever-team/rine@9b7fd58",
        licence="Apache-2.0",
        pretraining="CLIP ViT-L/14 (OpenAI's 400 M image-text pairs)",
        label_convention="1 = fake",
        geometry="torchvision: centre crop 224 without resizing, zero-padded if smaller",
        version=1,
        weights={"clip_vit_l14": "encoder"},
        deviations=(
            "the defaults are those of the authors' model of four ProGAN classes; they chose `layers`, `width` and "
            "`factor` by accuracy and AP on their test sets, here nothing is chosen",
            "CLIP is computed in single precision; the official code uses half precision on a GPU",
            "a batch without two images of a class has no contrastive loss; training images smaller than the crop are "
            "padded, where the official code fails",
            "one crop in testing; for Synthbuster the official script takes the mean logit of ten",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "1class": {"layers": 4, "factor": 0.1},
        "2class": {"layers": 4, "width": 128},
        "ldm": {"layers": 4, "factor": 0.4, "epochs": 5},
    }

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return projections, weights of the blocks and head, with a frozen encoder."""
        from methods._shared.clip import ImageEncoder
        from methods._shared.rine import Importance

        return Importance(ImageEncoder(weights["clip_vit_l14"]), self.params.layers, self.params.width)

    def companions(self) -> Sequence[str]:
        """CLIP, which the released files do not contain."""
        return ("clip_vit_l14",)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], CLIP's mean and standard deviation, never resized.

        Training blurs, compresses, crops at random and flips.
        """
        from methods._shared.augment import blur_or_jpeg
        from methods._shared.clip import MEAN, STD
        from methods._shared.tensors import normalised

        p, rgb = self.params, sample.rgb
        if stage == "train":
            rgb = blur_or_jpeg(rgb, p.blur_prob, p.jpg_prob, rng, p.qualities)
        rgb = crop(pad_to_square(rgb, p.crop_size), p.crop_size, rng if stage == "train" else None)
        return {"image": normalised(rgb[:, ::-1] if stage == "train" and rng.random() < 0.5 else rgb, MEAN, STD)}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the binary cross-entropy, summed over the batch, plus the weighted contrastive loss."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        from methods._shared.rine import contrastive

        logits, features = model(batch["image"])
        crossed = binary_cross_entropy_with_logits(logits[:, 0], batch["label"].float(), reduction="sum")
        total: Tensor = crossed + self.params.factor * contrastive(features, batch["label"])
        return total

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit; positive means fake."""
        logits: Tensor = model(batch["image"])[0][:, 0]
        return logits

    def schedule(self) -> Schedule:
        """Adam with a fixed learning rate; the last epoch is kept."""
        return Schedule(self.params.epochs, self.params.batch_size, "adam", self.params.lr)


METHOD = RINE
