"""SAFE: diagonal wavelet details of crops, with augmentation that spares them (KDD 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance

from bench.artefacts.geometry import crop, pad_to_square
from bench.detector import Card, Sample, Schedule, Share, Stage
from methods._shared import recipes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Params:
    """``crop_size``: side of the crop. ``smoothing``: label smoothing.

    In training: ``rotation``, the largest angle in degrees; ``jitter``, the largest change of brightness, contrast and
    saturation; ``mask_prob``, ``mask_ratio``, ``mask_size``: how often squares are blackened, at most which share of
    the image, and their side. ``depths`` and ``width`` define the trunk; the defaults are the first two layers of
    ResNet-50.
    """

    crop_size: int = 256
    rotation: float = 180.0
    jitter: Share = 0.5
    mask_prob: Share = 0.5
    mask_ratio: Share = 0.75
    mask_size: int = 16
    smoothing: Share = 0.1
    depths: tuple[int, int] = (3, 4)
    width: int = 64
    lr: float = 5e-3
    weight_decay: float = 0.01
    epochs: int = 20
    batch_size: int = 128


class SAFE(recipes.TwoLogits):
    """The diagonal band of bior1.3 in the beginning of a ResNet-50; images are cropped and never resized."""

    card = Card(
        title="SAFE",
        year=2025,
        paper="Li et al.: Improving Synthetic Image Detection Towards Generalization: An Image Transformation "
        "Perspective, KDD 2025, arXiv 2408.06741",
        code="Ouxiang-Li/SAFE@722620a",
        licence="Apache-2.0",
        pretraining="none",
        label_convention="1 = fake",
        geometry="torchvision: centre crop 256 without resizing, zero-padded if smaller",
        version=1,
        deviations=(
            "the learning rate falls along a cosine from epoch to epoch; the official script also raises it over the "
            "first epoch and changes it at every step, down to 1e-6",
            "keeps the last epoch, which the official evaluation also uses",
        ),
    )
    Params = Params
    in_all = False

    def build(self, weights: Mapping[str, object]) -> nn.Module:
        """Return the network with two logits (real, fake)."""
        from bench.nets.truncated_resnet import OnDiagonal, Shape

        return OnDiagonal(Shape(self.params.depths, self.params.width), 2)

    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """``image``: float [3, crop_size, crop_size] in 0…1, not normalised.

        Training crops at random, flips, rotates, changes colours in a random order, and blackens squares on a grid.
        """
        from methods._shared.tensors import chw

        p = self.params
        rgb = pad_to_square(sample.rgb, p.crop_size)
        if stage == "test":
            return {"image": chw(crop(rgb, p.crop_size, None))}
        image = Image.fromarray(np.ascontiguousarray(crop(rgb, p.crop_size, rng)))
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = image.rotate(rng.uniform(-p.rotation, p.rotation), Image.Resampling.NEAREST)
        changes = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
        for number in rng.permutation(len(changes)):
            image = changes[number](image).enhance(rng.uniform(1 - p.jitter, 1 + p.jitter))
        tensor = chw(np.asarray(image))
        return {"image": tensor if rng.random() > p.mask_prob else self._masked(tensor, rng)}

    def _masked(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Blacken different squares of a grid, up to a random share of the image."""
        side, total = self.params.mask_size, image.shape[1] * image.shape[2]
        rows, columns = (size // side for size in image.shape[1:])
        count = min(int(total * rng.uniform(0, self.params.mask_ratio) / side**2), rows * columns)
        for place in rng.choice(rows * columns, count, replace=False):
            top, left = int(place) // columns * side, int(place) % columns * side
            image[:, top : top + side, left : left + side] = 0
        return image

    def schedule(self) -> Schedule:
        """AdamW with a cosine learning rate down to 0 at the last epoch."""
        p = self.params
        return Schedule(p.epochs, p.batch_size, "adamw", p.lr, weight_decay=p.weight_decay, cosine=p.epochs)


METHOD = SAFE
