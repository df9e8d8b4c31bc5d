"""DRCT: trains on diffusion reconstructions labelled as fake, with a contrastive loss (ICML 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artefacts.engines import sd_inpaint
from bench.detector import Card, Detector, Example, Sample, Schedule, Share, Stage
from bench.recipe import Recipe
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``backbone``: ``clip`` (frozen ViT-L/14) or ``conv_b`` (ConvNeXt-B, all weights trained).

    ``steps`` and ``max_size`` belong to the reconstruction. ``alpha``: weight of the contrastive loss. ``cosine``: half
    period of the learning rate, in epochs. ``depths``, ``dims``, ``patch`` and ``stride`` define the ConvNeXt.
    ``reconstructions`` False trains without reconstructions, as a control. ``full_augmentation`` adds DRCT's rescaling,
    colour, dropout, greyscale and warping.
    """

    backbone: str = "clip"
    steps: int = 50
    max_size: int = 1024
    crop_size: int = 224
    embedding: int = 1024
    alpha: Share = 0.3
    reconstructions: bool = True
    full_augmentation: bool = True
    depths: tuple[int, ...] = (3, 3, 27, 3)
    dims: tuple[int, ...] = (128, 256, 512, 1024)
    patch: int = 4
    stride: int = 32
    lr: float = 1e-4
    weight_decay: float = 4e-5
    cosine: int = 5
    epochs: int = 17
    batch_size: int = 512


class DRCT(Detector):
    """Trained on real images against fakes and the reconstructions of both; scores the image alone."""

    card = Card(
        title="DRCT",
        year=2024,
        paper="Chen et al.: DRCT: Diffusion Reconstruction Contrastive Training towards Universal Detection of "
        "Diffusion Generated Images, ICML 2024",
        code="beibuwandeluori/DRCT@01aa7d0",
        licence="none stated; reimplemented from the paper and its training recipe",
        pretraining="CLIP ViT-L/14, or ConvNeXt-B on ImageNet-22k; Stable Diffusion v1 inpainting for reconstructions",
        label_convention="0 = real, other = fake; p = 1 − softmax[0]",
        geometry="albumentations: zero-padded to 224, centre crop 224 without resizing (margins rounded down)",
        version=2,
        weights={"clip_vit_l14": "encoder", "convnext": "backbone of the variant conv_b"},
        deviations=(
            "`w512`: some published checkpoints have an embedding of 512 numbers, not the paper's 1024",
            "the noise of a reconstruction is drawn per image; the official code uses one seed for all images",
            "the best epoch is chosen on real and fake images of the validation split, without reconstructions",
            "the learning rate is 0 in epochs 5 and 15, as published: nothing is learned in these epochs",
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "conv_b": {"backbone": "conv_b", "batch_size": 128},
        "no_reconstructions": {"reconstructions": False},
        "w512": {"embedding": 512},
    }
    ablations: ClassVar[tuple[str, ...]] = ("no_reconstructions",)

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The reconstruction of every training image; none in testing."""
        if stage == "test" or not self.params.reconstructions:
            return {}
        return {"reconstruction": sd_inpaint.recipe(steps=self.params.steps, max_size=self.params.max_size)}

    def roles(self) -> Sequence[str]:
        """The weights of the chosen backbone."""
        return ("clip_vit_l14",) if self.params.backbone == "clip" else ("convnext",)

    def examples(self) -> Sequence[Example]:
        """Every image, and every reconstruction as a fake."""
        kinds = [Example()]
        if self.params.reconstructions:
            kinds.append(Example("reconstruction", label=1))
        return kinds

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the backbone with an embedding and two logits."""
        from methods._shared.backbones import drct_clip, drct_convnext

        p = self.params
        if p.backbone == "clip":
            return drct_clip(weights["clip_vit_l14"], p.embedding)
        return drct_convnext(weights.get("convnext"), p)

    def companions(self) -> Sequence[str]:
        """CLIP if it is the backbone; a ConvNeXt is part of the checkpoint."""
        return ("clip_vit_l14",) if self.params.backbone == "clip" else ()

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The published checkpoint without its copy of CLIP (``model.model.``)."""
        from methods._shared.clip import without_copy

        return without_copy(state, "model.model.") if self.params.backbone == "clip" else state

    def copies(self, state: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
        """The image half of CLIP in a published checkpoint."""
        from methods._shared.clip import copy_of_clip

        return {"clip_vit_l14": copy_of_clip(state, "model.model.")} if self.params.backbone == "clip" else {}

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """How the CLIP in the checkpoint differs from the frozen one; '' if it does not."""
        from methods._shared.clip import OnFrozen, other_clip

        return other_clip(model, state, "model.model.") if isinstance(model, OnFrozen) else ""

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size] at native resolution, ImageNet's mean and std even for CLIP."""
        from methods._shared.tensors import imagenet

        p = self.params
        return {"image": imagenet(recipes.drct_view(sample.rgb, stage, rng, p.crop_size, p.full_augmentation))}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return (1 − α) cross-entropy + α contrastive loss."""
        from torch.nn.functional import cross_entropy

        from methods._shared.drct import contrastive

        logits, features = model(batch["image"])
        alpha, labels = self.params.alpha, batch["label"]
        total: Tensor = (1 - alpha) * cross_entropy(logits, labels) + alpha * contrastive(features, labels)
        return total

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the difference of the two logits, fake minus real."""
        real, fake = model(batch["image"])[0].unbind(1)
        difference: Tensor = fake - real
        return difference

    def schedule(self) -> Schedule:
        """AdamW with a cosine learning rate; the epoch with the best validation accuracy is kept."""
        return recipes.drct_schedule(self.params)


METHOD = DRCT
