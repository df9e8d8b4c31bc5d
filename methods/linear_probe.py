"""Linear probe: a linear layer on the frozen features of an open encoder, a control without a paper of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from bench.artefacts.geometry import crop, resize_short_side
from bench.detector import Card, Sample, Schedule, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn

Encoder = Literal["dinov3_vitl16", "dinov2_vitl14", "clip_vit_l14"]


@dataclass(frozen=True)
class Params:
    """``encoder``: role of the frozen encoder.

    ``load_size``: length of the shorter side before the crop, for DINOv2 and CLIP. ``crop_size``: side of the input.
    """

    encoder: Encoder = "dinov3_vitl16"
    load_size: int = 224
    crop_size: int = 224
    lr: float = 1e-3
    weight_decay: float = 0.0
    epochs: int = 20
    batch_size: int = 256


class LinearProbe(recipes.OneLogit):
    """One linear layer with one logit on the pooled feature of a frozen open encoder."""

    card = Card(
        title="Linear probe",
        year=2025,
        paper="Siméoni et al.: DINOv3, arXiv 2508.10104; the paper of the encoder, as this control has none",
        code="this project",
        licence="Apache-2.0",
        pretraining="DINOv3 ViT-L/16 (LVD-1689M); `dinov2`: DINOv2 ViT-L/14 (LVD-142M); `clip`: CLIP ViT-L/14 "
        "(OpenAI's 400 M image-text pairs)",
        label_convention="1 = fake",
        geometry="transformers' processors: squashed to 224 × 224, bilinear, without rounding (`dinov2`: shorter side "
        "resized to 256 by Pillow, bicubic, centre crop 224, margins rounded down; `clip`: the same with 224)",
        version=1,
        weights={"dinov3_vitl16": "encoder", "dinov2_vitl14": "encoder of `dinov2`", "clip_vit_l14": "that of `clip`"},
        deviations=(
            "a control of this benchmark, not a published detector: the recipe is ours",
            "trains without augmentation but for a flip, so it shows what frozen features separate by themselves",
            "the feature is the class token after the last norm, or CLIP's projected embedding; neither is normalised",
        ),
    )
    Params = Params
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "dinov2": {"encoder": "dinov2_vitl14", "load_size": 256},
        "clip": {"encoder": "clip_vit_l14"},
    }

    def roles(self) -> Sequence[str]:
        """The encoder."""
        return (self.params.encoder,)

    def companions(self) -> Sequence[str]:
        """The encoder, which a checkpoint of the head does not contain."""
        return (self.params.encoder,)

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the linear head ``fc`` with a frozen encoder."""
        from methods._shared.probe import probe

        role = self.params.encoder
        return probe(weights[role], role == "clip_vit_l14")

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], as the encoder's processor makes it; training mirrors half.

        DINOv3 squashes images, the others crop their centre; CLIP has its own mean and standard deviation.
        """
        from methods._shared.clip import MEAN, STD
        from methods._shared.probe import squashed
        from methods._shared.tensors import imagenet, normalised

        p, rgb = self.params, sample.rgb
        if stage == "train" and rng.random() < 0.5:
            rgb = np.ascontiguousarray(rgb[:, ::-1])
        if p.encoder == "dinov3_vitl16":
            return {"image": squashed(rgb, p.crop_size)}
        rgb = resize_short_side(rgb, p.load_size, Image.Resampling.BICUBIC)
        rgb = crop(rgb, p.crop_size, None, "albumentations")
        return {"image": normalised(rgb, MEAN, STD) if p.encoder == "clip_vit_l14" else imagenet(rgb)}

    def schedule(self) -> Schedule:
        """AdamW without weight decay; the epoch with the best validation accuracy is kept."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adamw", p.lr, weight_decay=p.weight_decay, keep_best=True)


METHOD = LinearProbe
