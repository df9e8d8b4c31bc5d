"""DDA: photographs against twins from an autoencoder, aligned in size, JPEG coding and pixels (NeurIPS 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artefacts.engines import autoencoder
from bench.artefacts.geometry import crop, crop_to_multiple, pad_to_square
from bench.detector import Card, Detector, Example, Sample, Schedule, Share, Stage
from bench.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

#: The views of one photograph, of which the second half is its twin's.
VIEWS = 6


@dataclass(frozen=True)
class Params:
    """``as_published``: the last layer stays as drawn, and every update is stepped twice, as in the official trainer.

    ``crop_size``: side of the network's input. ``rank`` and ``alpha``: those of the low-rank updates. ``mix_prob``: how
    often a twin is mixed with its photograph by each of two rules; ``mix_share``: the largest share. ``contrast``:
    weight of the contrastive loss. ``photographs``: how many are compared by it at once.
    """

    as_published: bool = True
    crop_size: int = 336
    rank: int = 8
    alpha: float = 1.0
    mix_prob: Share = 0.2
    mix_share: Share = 0.8
    contrast: Share = 0.5
    photographs: int = 2
    lr: float = 1e-4
    epochs: int = 1
    batch_size: int = 8


class DDA(Detector):
    """DINOv2 with low-rank updates, trained on photographs and on themselves after an autoencoder (twins)."""

    card = Card(
        title="DDA",
        year=2025,
        paper="Chen et al.: Dual Data Alignment Makes AI-Generated Image Detector Easier Generalizable, NeurIPS 2025, "
        "arXiv 2505.14359",
        code="roy-ch/Dual-Data-Alignment@21f1e39",
        licence="Apache-2.0",
        pretraining="DINOv2 ViT-L/14 (LVD-142M); the autoencoder of Stable Diffusion v2.1 for the fakes",
        label_convention="1 = fake",
        geometry="torchvision: centre crop 336 without resizing, zero-padded if smaller",
        version=1,
        weights={"dinov2_vitl14": "frozen backbone"},
        deviations=(
            "generated images of the training set are not used, as in the official code: the fakes are photographs "
            "after the autoencoder",
            "`dda` does what the official trainer does, by two mistakes: the last layer is never trained, and every "
            "low-rank update is stepped twice, which here is twice the rate `lr`; `intended` has neither",
            "the frequency mix is the official one, a mix of pixels: a cosine transform of the whole image is linear",
            "a twin is compressed at its photograph's own JPEG quality, 96 if it has none; the official code looks "
            "COCO's up by names that end in .png, and takes 96 for others",
            "the learning rate is constant; the official one falls and rises along a cosine of 1000 steps",
            "the autoencoder's noise is drawn per image from a seed; the official code does not set one",
            "a batch has 8 photographs with six views each, of which the contrastive loss compares two photographs' "
            "at a time; officially these are four batches whose gradients are summed",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"intended": {"as_published": False}}

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The twin of every training image; none in testing."""
        return {"twin": autoencoder.recipe("sd21_vae")} if stage == "train" else {}

    def examples(self) -> Sequence[Example]:
        """Photographs in pairs with their twins."""
        return (Example(of=(0,), label=0, paired=True),)

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the updates and the last layer, drawn from N(0, 0.02), with a frozen backbone."""
        from bench.nets import vit
        from methods._shared.lora import Adapted

        p = self.params
        network = Adapted(vit.load(weights["dinov2_vitl14"], p.crop_size), p.rank, p.alpha)
        network.fc.requires_grad_(not p.as_published)
        return network

    def companions(self) -> Sequence[str]:
        """DINOv2, of which a released file contains a copy."""
        return ("dinov2_vitl14",)

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The updates and the last layer of the released file."""
        from methods._shared.lora import without_backbone

        return without_backbone(state)

    def copies(self, state: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
        """The DINOv2 in the released file."""
        from methods._shared.lora import backbone_of

        return {"dinov2_vitl14": backbone_of(state)}

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """How the DINOv2 in the released file differs from the frozen one; '' if it does not."""
        from methods._shared.lora import Adapted, other_backbone

        return other_backbone(model, state) if isinstance(model, Adapted) else ""

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], CLIP's mean and standard deviation.

        In training [6, 3, crop_size, crop_size]: the photograph and its twin, each as it is, smaller and larger, with
        one augmentation.
        """
        import torch

        from methods._shared import dda
        from methods._shared.clip import MEAN, STD
        from methods._shared.tensors import normalised

        p = self.params
        if stage == "test":
            return {"image": normalised(crop(pad_to_square(sample.rgb, p.crop_size), p.crop_size, None), MEAN, STD)}
        real, twin = crop_to_multiple(sample.rgb, autoencoder.MULTIPLE), sample.artefacts["twin"]
        twin = dda.aligned(real, twin, sample.facts.quality, p.mix_prob, p.mix_share, rng)
        shown, seed = dda.in_three_sizes((real, twin), rng), int(rng.integers(2**63))
        views = [dda.augmented(rgb, p.crop_size, np.random.default_rng(seed)) for rgb in shown]
        return {"image": torch.stack([normalised(rgb, MEAN, STD) for rgb in views])}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return binary cross-entropy and contrastive loss, the mean over groups of ``photographs``."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        from methods._shared.drct import contrastive

        p, images = self.params, batch["image"]
        logits, features = model(images.flatten(0, 1))
        labels = (torch.arange(VIEWS, device=images.device) >= VIEWS // 2).long().repeat(len(images))
        crossed = binary_cross_entropy_with_logits(logits[:, 0], labels.float())
        groups = zip(features.split(p.photographs * VIEWS), labels.split(p.photographs * VIEWS), strict=True)
        compared = torch.stack([contrastive(*group) for group in groups]).mean()
        total: Tensor = (1 - p.contrast) * crossed + p.contrast * compared
        return total

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit; positive means fake."""
        logits: Tensor = model(batch["image"])[0][:, 0]
        return logits

    def schedule(self) -> Schedule:
        """AdamW without weight decay and with a constant learning rate; the last epoch is kept."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adamw", 2 * p.lr if p.as_published else p.lr)


METHOD = DDA
