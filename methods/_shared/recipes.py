"""The two recipes that most detectors are published or compared in: CNNDetection's and DRCT's.

SARE's and DRCT's tables retrain every baseline in DRCT's recipe; the baselines' own papers use CNNDetection's.
Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.artefacts.geometry import crop, pad_to_square, resize_short_side
from bench.detector import Detector, Schedule, Stage

if TYPE_CHECKING:
    from torch import Tensor, nn

RGB = NDArray[np.uint8]
Name = Literal["official", "drct"]
#: What ``recipe="drct"`` changes in a card's parameters: beibuwandeluori/DRCT@01aa7d0, README's commands, two GPUs.
DRCT: Mapping[str, object] = {
    "recipe": "drct",
    "lr": 1e-4,
    "weight_decay": 4e-5,
    "cosine": 5,
    "epochs": 17,
    "batch_size": 128,
}


#: A deviation that every card with one logit shares.
DRCT_ONE_LOGIT = "in the variant `drct` one logit and binary cross-entropy; DRCT's script gives every network two"


class OneLogit(Detector):
    """A detector whose network gives one logit for one image tensor, and learns by binary cross-entropy."""

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Binary cross-entropy of the logit."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(self.logit(model, batch), batch["label"].float())

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The network's logit; positive means fake."""
        logits: Tensor = model(batch["image"])[:, 0]
        return logits


class Sizes(Protocol):
    """The parameters of CNNDetection's augmentation."""

    @property
    def load_size(self) -> int:
        """Shorter side in training."""

    @property
    def crop_size(self) -> int:
        """Side of the crop."""

    @property
    def blur_prob(self) -> float:
        """How often training blurs."""

    @property
    def jpg_prob(self) -> float:
        """How often training JPEG-codes."""


def cnndetection_view(rgb: RGB, stage: Stage, rng: np.random.Generator, sizes: Sizes) -> RGB:
    """CNNDetection's geometry and augmentation: uint8 [crop_size, crop_size, 3].

    In training: shorter side to ``load_size``, blur, JPEG, random crop, flip. In testing the centre crop of the image
    as it is (``--no_resize``), zero-padded where it is smaller. PeterWang512/CNNDetection@ea0b562:data/datasets.py.
    """
    from methods._shared.augment import blur_or_jpeg

    if stage == "test":
        return crop(pad_to_square(rgb, sizes.crop_size), sizes.crop_size, None)
    rgb = blur_or_jpeg(resize_short_side(rgb, sizes.load_size), sizes.blur_prob, sizes.jpg_prob, rng)
    rgb = crop(rgb, sizes.crop_size, rng)
    return rgb[:, ::-1] if rng.random() < 0.5 else rgb


def drct_view(rgb: RGB, stage: Stage, rng: np.random.Generator, size: int, full: bool = True) -> RGB:
    """DRCT's geometry and augmentation: uint8 [size, size, 3] at native resolution, zero-padded where smaller."""
    from methods._shared import drct

    if stage == "test":
        return drct.test_view(rgb, size)
    return drct.train_view(rgb, size, drct.Turn.draw(rng), full, rng)


class Optimisation(Protocol):
    """The parameters of DRCT's schedule."""

    @property
    def lr(self) -> float:
        """Rate at the top of the swing."""

    @property
    def weight_decay(self) -> float:
        """AdamW's decay."""

    @property
    def cosine(self) -> int:
        """Half period of the rate in epochs."""

    @property
    def epochs(self) -> int:
        """Epochs."""

    @property
    def batch_size(self) -> int:
        """Images a step."""


def drct_schedule(p: Optimisation) -> Schedule:
    """AdamW under a swinging cosine; the best epoch on validation is kept."""
    return Schedule(
        p.epochs,
        p.batch_size,
        "adamw",
        p.lr,
        weight_decay=p.weight_decay,
        cosine=p.cosine,
        keep_best=True,
    )
