"""C2P-CLIP: CLIP's image encoder, tuned by LoRA with prompts of the two classes, and a linear layer (AAAI 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.artefacts.geometry import crop, resize_short_side
from bench.detector import Card, Sample, Schedule, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``load_size``: shorter side. ``crop_size``: side of CLIP's input. ``rank``: LoRA's, with a scale of one.

    The sizes are the authors'; all others are chosen here, because no training code was published.
    """

    load_size: int = 224
    crop_size: int = 224
    rank: int = 6
    lr: float = 4e-4
    epochs: int = 1
    batch_size: int = 128

    def __post_init__(self) -> None:
        if self.crop_size > self.load_size:
            raise ValueError(f"crop_size, {self.crop_size}, must be at most load_size, {self.load_size}")


class C2PCLIP(recipes.OneLogit):
    """One linear layer on the normalised embedding of a CLIP whose attention is tuned by LoRA."""

    card = Card(
        title="C2P-CLIP",
        year=2025,
        paper="Tan et al.: C2P-CLIP: Injecting Category Common Prompt in CLIP to Enhance Generalization in Deepfake "
        "Detection, AAAI 2025, arXiv 2408.09647",
        code="chuangchuangtan/C2P-CLIP-DeepfakeDetection@27b5232",
        licence="none stated; reimplemented from the paper and the list of layers",
        pretraining="CLIP ViT-L/14 (OpenAI's 400 M image-text pairs)",
        label_convention="1 = fake",
        geometry="torchvision: shorter side 224, bilinear, centre crop 224",
        version=1,
        weights={"clip_vit_l14": "encoder, tuned by LoRA"},
        deviations=(
            "no training code was published. Training here is plain: LoRA of rank 6 on queries, keys and values, the "
            "linear layer, binary cross-entropy, one epoch. Rank, rate and batch are said to be the paper's, which "
            "could not be checked here",
            "the paper's contrastive loss between images and their captions with the prompts of the two classes is "
            "left out, so a network that is trained here is not C2P-CLIP's; a released one is",
            "training resizes as testing does, crops at random and flips",
            "small images are enlarged, as by the published code; which data the released weights were trained on is "
            "not stated, and users report other numbers on GenImage than the paper's",
            "the released weights contain the merged LoRA; here they get one of zeros, which changes nothing",
        ),
    )
    Params = Params
    in_all = False

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return CLIP's image half with LoRA, which begins at zero, and the linear layer, drawn from N(0, 0.02)."""
        from methods._shared.tuned_clip import C2PClip

        return C2PClip(weights.get("clip_vit_l14"), self.params.rank)

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The released file, which contains the whole image half of CLIP with the LoRA merged."""
        from methods._shared.tuned_clip import c2p_clip_state

        return c2p_clip_state(state, self.params.rank)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], CLIP's mean and standard deviation."""
        from methods._shared.clip import MEAN, STD
        from methods._shared.tensors import normalised

        p, train = self.params, stage == "train"
        rgb = crop(resize_short_side(sample.rgb, p.load_size), p.crop_size, rng if train else None)
        return {"image": normalised(rgb[:, ::-1] if train and rng.random() < 0.5 else rgb, MEAN, STD)}

    def schedule(self) -> Schedule:
        """Adam with a fixed learning rate; the last epoch is kept."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adam", p.lr)


METHOD = C2PCLIP
