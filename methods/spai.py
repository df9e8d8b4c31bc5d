"""SPAI: how alike a frozen transformer sees an image and its frequency bands, at any resolution (CVPR 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench.artefacts.geometry import pad_to_square
from bench.detector import RGB, Card, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``backbone``: ``mfm`` or ``clip``. ``crop_size``: side of a patch. ``radius``: of the low frequencies.

    ``least``: number of patches below which five crops are taken. ``projection``, ``attention``, ``heads``, ``ratio``
    and ``dropout`` define the trained layers; ``spread`` is the standard deviation of their first weights. In training,
    ``views`` crops are drawn of an image, of at least ``area`` of it; ``rotation_prob``, ``blur_prob``, ``noise_prob``
    and ``jpg_prob`` are those of its augmentations.
    """

    backbone: Literal["mfm", "clip"] = "mfm"
    crop_size: int = 224
    radius: int = 16
    least: int = 4
    projection: int = 1024
    attention: int = 1536
    heads: int = 12
    ratio: int = 3
    spread: float = 0.02
    dropout: Share = 0.5
    views: int = 4
    area: Share = 0.2
    rotation_prob: Share = 0.5
    blur_prob: Share = 0.5
    noise_prob: Share = 0.5
    jpg_prob: Share = 0.5
    lr: float = 5e-4
    weight_decay: float = 0.05
    epochs: int = 35
    batch_size: int = 72

    def __post_init__(self) -> None:
        if self.attention % self.heads:
            raise ValueError(f"attention, {self.attention}, must be a multiple of heads, {self.heads}")
        if self.crop_size % 2:
            raise ValueError(f"crop_size, {self.crop_size}, must be even")


class SPAI(recipes.OneLogit):
    """Similarities between the tokens of patches and of their low and high frequencies, and attention over patches."""

    card = Card(
        title="SPAI",
        year=2025,
        paper="Karageorgiou et al.: Any-Resolution AI-Generated Image Detection by Spectral Learning, CVPR 2025, "
        "arXiv 2411.19417",
        code="mever-team/spai@8ff7b3b",
        licence="Apache-2.0",
        pretraining="MFM ViT-B/16 (ImageNet-1k, without labels); variant `clip`: CLIP ViT-B/16",
        label_convention="1 = fake",
        geometry="albumentations: not resized, mirrored at the borders if smaller than 224; all patches of 224, or the "
        "corners and the centre if there are fewer than four",
        version=1,
        weights={"mfm_vit_b16": "backbone, frozen", "clip_vit_b16": "backbone of `clip`, frozen"},
        deviations=(
            "the learning rate falls along a cosine from epoch to epoch; the official script also raises it over five "
            "epochs, changes it at every step, and ends at 2.5e-7",
            "weight decay is applied to all trained weights; the official script spares biases and norms",
            "keeps the epoch with the best accuracy on unaugmented validation images; the official script keeps the "
            "smallest loss on validation images that are augmented once",
            "CLIP of `clip` is computed in single precision; the authors' variant on DINOv2 is left out",
            "the disc of low frequencies lies half a sample off the zero frequency, and high frequencies lose their "
            "negative half, as in the official code",
            "branches of the frozen backbone are dropped at random in training, as in the official code",
        ),
    )
    Params = Params
    in_all = False
    ragged = True
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"clip": {"backbone": "clip"}}

    def roles(self) -> Sequence[str]:
        """The weights of the backbone in use."""
        return (f"{self.params.backbone}_vit_b16",)

    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return the network; its backbone is random if no weights are given, as a checkpoint contains it."""
        from bench.nets.mfm import MFM, load_mfm
        from methods._shared import spai
        from methods._shared.clip import MEAN, STD, PatchTokens
        from methods._shared.tensors import IMAGENET_MEAN, IMAGENET_STD

        p = self.params
        words = (p.crop_size, p.radius, p.least, p.projection, p.attention, p.heads, p.ratio, p.spread, p.dropout)
        if p.backbone == "clip":
            return spai.SPAI(PatchTokens(weights["clip_vit_b16"]), spai.Shape(*words, MEAN, STD))
        tower = MFM(p.crop_size)
        if "mfm_vit_b16" in weights:
            load_mfm(tower, weights["mfm_vit_b16"])
        return spai.SPAI(tower, spai.Shape(*words, IMAGENET_MEAN, IMAGENET_STD))

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The released file, without the parts of its transformer that are not used."""
        from methods._shared.spai import RENAMED, UNUSED

        found: dict[str, Tensor] = {}
        for name, tensor in state.items():
            old, new = next(((old, new) for old, new in RENAMED if name.startswith(old)), ("", ""))
            if not name.startswith(UNUSED):
                found[new + name.removeprefix(old)] = tensor
        return found

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``full``: float [3, H, W] in 0…1; ``size``: (H, W), int64 [2].

        Testing takes the whole image, mirrored at its borders if a side is below ``crop_size``. Training puts ``views``
        augmented crops side by side.
        """
        import torch

        from methods._shared.tensors import chw

        p = self.params
        if stage == "train":
            rgb = np.concatenate([self._augmented(sample.rgb, rng) for _ in range(p.views)], 1)
        else:
            rgb = pad_to_square(sample.rgb, p.crop_size, "reflect")
        return {"full": chw(rgb), "size": torch.tensor(rgb.shape[:2])}

    def _augmented(self, rgb: RGB, rng: np.random.Generator) -> RGB:
        """A crop of random size and shape, flipped both ways, rotated, blurred, with noise, compressed as JPEG."""
        from methods._shared import augment

        p = self.params
        rgb = augment.random_resized_crop(rgb, p.crop_size, p.area, rng)
        rgb = rgb[:, ::-1] if rng.random() < 0.5 else rgb
        rgb = np.ascontiguousarray(rgb[::-1] if rng.random() < 0.5 else rgb)
        if rng.random() < p.rotation_prob:
            rgb = augment.rotated_inside(rgb, rng.uniform(-90, 90))
        if rng.random() < p.blur_prob:
            rgb = augment.blurred(rgb, (3, 5, 5, 7, 7, 9, 9)[int(rng.integers(7))], rng.uniform(0.01, 0.5))
        if rng.random() < p.noise_prob:
            rgb = augment.gaussian_noise(rgb, rng)
        return augment.opencv_jpeg(rgb, int(rng.integers(50, 101))) if rng.random() < p.jpg_prob else rgb

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit; positive means fake."""
        logits: Tensor = model(batch["full"], batch["size"])[:, 0]
        return logits

    def schedule(self) -> Schedule:
        """AdamW with a cosine learning rate down to 0 at the last epoch; the best epoch is kept."""
        p = self.params
        decay = {"weight_decay": p.weight_decay, "cosine": p.epochs, "keep_best": True}
        return Schedule(p.epochs, p.batch_size, "adamw", p.lr, **decay)


METHOD = SPAI
