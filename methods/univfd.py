"""UnivFD: one linear layer on frozen CLIP features (CVPR 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.detector import Card, Detector, Plateau, Sample, Schedule, Stage
from bench.kit.geometry import crop, pad_to_square, resize_short_side

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``load_size``: shorter side in training; ``crop_size``: CLIP's input; how often training blurs and JPEG-codes."""

    load_size: int = 256
    crop_size: int = 224
    blur_prob: float = 0.5
    jpg_prob: float = 0.5
    lr: float = 1e-4
    epochs: int = 100
    batch_size: int = 256


class UnivFD(Detector):
    """CLIP's image embedding, not normalised, to one logit."""

    card = Card(
        title="UnivFD",
        paper="Ojha et al.: Towards Universal Fake Image Detectors that Generalize Across Generative Models, "
        "CVPR 2023, arXiv 2302.10174",
        code="WisconsinAIVision/UniversalFakeDetect@76a0e3e",
        licence="MIT",
        pretraining="CLIP ViT-L/14 (OpenAI's 400 M image-text pairs)",
        label_convention="1 = fake",
        version=1,
        weights={"clip_vit_l14": "encoder"},
        deviations=(
            "stops by validation accuracy on the source's own validation split; "
            "the official script looks at the ProGAN test set",
            "JPEG augmentation by Pillow alone; the official code draws OpenCV's or Pillow's encoder",
        ),
    )
    Params = Params

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """The linear head on a frozen encoder."""
        from methods._parts.clip import ImageEncoder, LinearHead

        return LinearHead(ImageEncoder(weights["clip_vit_l14"]), 1)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], CLIP's mean and deviation.

        In testing the centre crop of the image as it is, zero-padded where it is smaller.
        """
        from methods._parts.augment import blur_or_jpeg
        from methods._parts.clip import MEAN, STD
        from methods._parts.tensors import normalised

        p, rgb = self.params, sample.rgb
        if stage == "train":
            rgb = resize_short_side(rgb, p.load_size)
            rgb = crop(blur_or_jpeg(rgb, p.blur_prob, p.jpg_prob, rng), p.crop_size, rng)
            rgb = rgb[:, ::-1] if rng.random() < 0.5 else rgb
        else:
            rgb = crop(pad_to_square(rgb, p.crop_size), p.crop_size, None)
        return {"image": normalised(rgb, MEAN, STD)}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Binary cross-entropy of the single logit."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(self.logit(model, batch), batch["label"].float())

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The head's logit; positive means fake."""
        logits: Tensor = model(batch["image"])[:, 0]
        return logits

    def schedule(self) -> Schedule:
        """AdamW without decay and the CNNDetection early stop on validation accuracy."""
        return Schedule(self.params.epochs, self.params.batch_size, "adamw", self.params.lr, plateau=Plateau())


METHOD = UnivFD
