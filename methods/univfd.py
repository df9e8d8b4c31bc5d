"""UnivFD: one linear layer on frozen CLIP features (CVPR 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.detector import Card, Plateau, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``recipe``: ``official`` (CNNDetection's), or ``drct`` (used to retrain it for DRCT's and SARE's tables).

    ``load_size``: shorter side in training. ``crop_size``: side of CLIP's input. ``blur_prob`` and ``jpg_prob``:
    probabilities of blur and JPEG compression in training. ``weight_decay`` and ``cosine`` apply to ``drct`` only.
    """

    recipe: recipes.Name = "official"
    load_size: int = 256
    crop_size: int = 224
    blur_prob: Share = 0.5
    jpg_prob: Share = 0.5
    lr: float = 1e-4
    weight_decay: float = 0.0
    cosine: int = 5
    epochs: int = 100
    batch_size: int = 256


class UnivFD(recipes.OneLogit):
    """One linear layer with one logit on CLIP's image embedding, which is not normalised."""

    card = Card(
        title="UnivFD",
        year=2023,
        paper="Ojha et al.: Towards Universal Fake Image Detectors that Generalize Across Generative Models, "
        "CVPR 2023, arXiv 2302.10174",
        code="WisconsinAIVision/UniversalFakeDetect@76a0e3e",
        licence="MIT",
        pretraining="CLIP ViT-L/14 (OpenAI's 400 M image-text pairs)",
        label_convention="1 = fake",
        geometry="torchvision: centre crop 224 without resizing, zero-padded if smaller",
        version=2,
        weights={"clip_vit_l14": "encoder"},
        deviations=(
            "the head has torch's default initialisation; the official head is initialised from N(0, 0.02)",
            "the best epoch on unaugmented validation images is kept; the official script in effect keeps the last",
            "validation images are not resized before the crop, as in testing; the official script resizes them to 256",
            "the early stop uses accuracy on the source's own validation split; "
            "the official script uses the ProGAN test set",
            recipes.DRCT_ONE_LOGIT,
        ),
    )
    Params = Params
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"drct": {**recipes.DRCT, "batch_size": 512}}

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the linear head with a frozen encoder."""
        from methods._shared.clip import ImageEncoder, LinearHead

        return LinearHead(ImageEncoder(weights["clip_vit_l14"]), 1)

    def companions(self) -> Sequence[str]:
        """CLIP, which checkpoints of the head do not contain."""
        return ("clip_vit_l14",)

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The published head (``weight``, ``bias``), or the training script's checkpoint without its copy of CLIP."""
        if set(state) == {"weight", "bias"}:
            return {f"fc.{name}": t for name, t in state.items()}
        from methods._shared.clip import without_copy

        return without_copy(state, "model.")

    def copies(self, state: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
        """The image half of CLIP in the training script's checkpoint."""
        from methods._shared.clip import copy_of_clip

        return {"clip_vit_l14": copy_of_clip(state, "model.")}

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """How the CLIP in the checkpoint differs from the frozen one; '' if it does not."""
        from methods._shared.clip import OnFrozen, other_clip

        return other_clip(model, state, "model.") if isinstance(model, OnFrozen) else ""

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], CLIP's mean and standard deviation.

        Testing takes the centre crop without resizing, zero-padded if the image is smaller. With recipe ``drct``, the
        mean and standard deviation are ImageNet's.
        """
        from methods._shared.clip import MEAN, STD
        from methods._shared.tensors import imagenet, normalised

        p = self.params
        if p.recipe == "drct":  # DRCT normalises with ImageNet's values, for CLIP too.
            return {"image": imagenet(recipes.drct_view(sample.rgb, stage, rng, p.crop_size))}
        return {"image": normalised(recipes.cnndetection_view(sample.rgb, stage, rng, p), MEAN, STD)}

    def schedule(self) -> Schedule:
        """AdamW without weight decay, with CNNDetection's early stop on validation accuracy; or DRCT's schedule."""
        p = self.params
        if p.recipe == "drct":
            return recipes.drct_schedule(p)
        return Schedule(p.epochs, p.batch_size, "adamw", p.lr, plateau=Plateau())


METHOD = UnivFD
