"""B-Free: DINOv2 with registers, fine-tuned on large crops that are never resized (CVPR 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.artefacts.geometry import crop, pad_to_square
from bench.detector import Card, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


#: Register tokens of DINOv2's networks that have some.
_REGISTERS = 4


@dataclass(frozen=True)
class Params:
    """``crop_size``: side of a crop; the network sees five crops of a larger image.

    ``patch``, ``width``, ``depth`` and ``heads`` define the transformer; the defaults are ViT-B/14. ``registers``:
    whether it has DINOv2's four registers. ``blur_prob`` and ``jpg_prob``: probabilities of blur and JPEG compression
    in training.
    """

    crop_size: int = 504
    patch: int = 14
    width: int = 768
    depth: int = 12
    heads: int = 12
    registers: bool = True
    blur_prob: Share = 0.5
    jpg_prob: Share = 0.5
    lr: float = 1e-5
    weight_decay: float = 0.01
    epochs: int = 10
    batch_size: int = 24


class BFree(recipes.OneLogit):
    """A ViT-B/14 with one logit, the mean of five crops of patches that are embedded in the whole image."""

    card = Card(
        title="B-Free",
        year=2025,
        paper="Guillaro et al.: A Bias-Free Training Paradigm for More General AI-generated Image Detection, "
        "CVPR 2025, arXiv 2412.17671",
        code="grip-unina/B-Free@c6a9f89",
        licence="GRIP-UNINA (nonprofit use only)",
        pretraining="DINOv2 ViT-B/14 with registers (LVD-142M)",
        label_convention="1 = fake",
        geometry="native size; five crops of 36 × 36 patches of 14 px on the grid, the centre and the corners; a grid "
        "with a shorter side is repeated and cut to one crop",
        version=1,
        weights={"dinov2_reg_vitb14": "initial weights"},
        deviations=(
            "trains on the run's images, so what is trained here is not B-Free; a released file is. The paper's point "
            "is its own training set: Stable Diffusion 2.1 regenerates the real images, and inpaints parts of them",
            "no training code is published, so the recipe is ours: random crops, flip, blur and JPEG compression as in "
            "CNNDetection, AdamW with a cosine learning rate; the paper also scales, cuts out, adds noise and jitters",
            "a training image that is smaller than a crop is repeated as in a test; the paper's are all larger",
            "five crops that coincide are computed once",
            "a side that is shorter than a patch is zero-padded to one; the official code fails on such an image",
            "keeps that a small image's longer side is cut to its first 36 patches, as in the official code",
        ),
    )
    Params = Params
    in_all = False
    ragged = True

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the network; its transformer has one logit."""
        from bench.nets.five_crops import FiveCrops
        from bench.nets.vit import Shape, classifier

        p = self.params
        shape = Shape(p.width, p.depth, p.heads, p.patch, p.crop_size, registers=_REGISTERS * p.registers)
        return FiveCrops(classifier(shape, weights.get("dinov2_reg_vitb14")))

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The released file has timm's plain names."""
        kept = ("patch_embed.", "vit.")
        return {name if name.startswith(kept) else f"vit.{name}": tensor for name, tensor in state.items()}

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``full``: float [3, H, W], ImageNet's mean and standard deviation; ``size``: int64 [2], (H, W).

        Testing takes the whole image; training a random crop of at most ``crop_size``. A side that is shorter than a
        patch is zero-padded to one.
        """
        import torch

        from methods._shared.augment import blur_or_jpeg
        from methods._shared.tensors import imagenet

        p, rgb = self.params, pad_to_square(sample.rgb, self.params.patch)
        if stage == "train":
            height, width = (min(side, p.crop_size) for side in rgb.shape[:2])
            rgb = blur_or_jpeg(np.ascontiguousarray(crop(rgb, (height, width), rng)), p.blur_prob, p.jpg_prob, rng)
            rgb = rgb[:, ::-1] if rng.random() < 0.5 else rgb
        return {"full": imagenet(rgb), "size": torch.tensor(rgb.shape[:2])}

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit; positive means fake."""
        logits: Tensor = model(batch["full"], batch["size"])[:, 0]
        return logits

    def schedule(self) -> Schedule:
        """AdamW with a cosine learning rate and clipped gradients; the last epoch is kept."""
        p = self.params
        return Schedule(
            p.epochs, p.batch_size, "adamw", p.lr, weight_decay=p.weight_decay, cosine=p.epochs, clip_norm=1.0
        )


METHOD = BFree
