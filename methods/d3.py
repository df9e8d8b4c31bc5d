"""D³: what shuffled patches change in the features of a frozen CLIP (CVPR 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from bench.detector import Card, Plateau, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn

#: The seed of the official test script, here of the one order of patches in which every test image is shuffled.
SEED = 418


@dataclass(frozen=True)
class Params:
    """``load_size``: shorter side in training. ``crop_size``: side of CLIP's input. ``patch``: side of a patch.

    ``blur_prob`` and ``jpg_prob``: probabilities of blur and JPEG compression in training.
    """

    load_size: int = 256
    crop_size: int = 224
    patch: int = 14
    blur_prob: Share = 0.5
    jpg_prob: Share = 0.5
    lr: float = 1e-4
    epochs: int = 100
    batch_size: int = 256

    def __post_init__(self) -> None:
        if self.crop_size % self.patch:
            raise ValueError(f"crop_size, {self.crop_size}, must be a multiple of patch, {self.patch}")


class D3(recipes.OneLogit):
    """One attention layer on two features of a frozen CLIP: the image's, and those of its shuffled patches."""

    card = Card(
        title="D³",
        year=2025,
        paper="Yang et al.: D³: Scaling Up Deepfake Detection by Learning from Discrepancy, CVPR 2025, "
        "arXiv 2404.04584",
        code="BigAandSmallq/D3@14f21ad",
        licence="none stated; reimplemented from the paper and the list of layers",
        pretraining="CLIP ViT-L/14 (OpenAI's 400 M image-text pairs)",
        label_convention="1 = fake",
        geometry="torchvision: resized to 224 x 224 without keeping the aspect ratio, bilinear",
        version=1,
        weights={"clip_vit_l14": "encoder"},
        deviations=(
            "every test image is shuffled in one order, drawn once; the official code draws a new one for each batch, "
            "so its scores depend on what else is tested",
            "in training each image has an order of its own; the official code draws one for a batch",
            "the softmax is over the queries, as in the official code, and not over the keys, as in usual attention",
            "the best epoch on validation images is kept; the official script overwrites its best file every epoch",
        ),
    )
    Params = Params
    in_all = False

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the attention layer with a frozen encoder; all its parameters are initialised from N(0, 0.02)."""
        from methods._shared.clip import ImageEncoder
        from methods._shared.discrepancy import Discrepancy

        return Discrepancy(ImageEncoder(weights["clip_vit_l14"]), self.params.patch)

    def companions(self) -> Sequence[str]:
        """CLIP, which the released file does not contain."""
        return ("clip_vit_l14",)

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The released file has the attention layer alone, without a prefix."""
        return {f"attention_head.{name.removeprefix('attention_head.')}": tensor for name, tensor in state.items()}

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size], CLIP's mean and standard deviation; ``order``: int64 [N].

        The order of the patches is one for all test images.
        """
        import torch

        from methods._shared.clip import MEAN, STD
        from methods._shared.tensors import normalised

        p = self.params
        if stage == "train":
            rgb = recipes.cnndetection_view(sample.rgb, stage, rng, p)
        else:
            rgb = np.asarray(Image.fromarray(sample.rgb).resize((p.crop_size,) * 2, Image.Resampling.BILINEAR))
        drawn = rng if stage == "train" else np.random.default_rng(SEED)
        order = torch.from_numpy(drawn.permutation((p.crop_size // p.patch) ** 2))
        return {"image": normalised(rgb, MEAN, STD), "order": order}

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit; positive means fake."""
        logits: Tensor = model(batch["image"], batch["order"])[:, 0]
        return logits

    def schedule(self) -> Schedule:
        """AdamW without weight decay, with CNNDetection's early stop on validation accuracy."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adamw", p.lr, plateau=Plateau())


METHOD = D3
