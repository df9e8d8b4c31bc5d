"""The training recipes of CNNDetection and DRCT, which most detectors use.

The papers of the baselines use CNNDetection's recipe; the tables of SARE and DRCT retrain every baseline with DRCT's.
Importing this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.artefacts.geometry import crop, pad_to_square, resize_short_side
from bench.detector import Detector, Schedule, Stage

if TYPE_CHECKING:
    from torch import Tensor, nn

RGB = NDArray[np.uint8]
Name = Literal["official", "drct"]
#: The parameters that ``recipe="drct"`` changes: the README's commands in beibuwandeluori/DRCT@01aa7d0, on two GPUs.
DRCT: Mapping[str, object] = {
    "recipe": "drct",
    "lr": 1e-4,
    "weight_decay": 4e-5,
    "cosine": 5,
    "epochs": 17,
    "batch_size": 128,
}


#: A deviation on the card of every detector with one logit.
DRCT_ONE_LOGIT = "`drct` uses one logit and binary cross-entropy; DRCT's script gives every network two logits"


class OneLogit(Detector):
    """A detector whose network maps one image tensor to one logit and is trained with binary cross-entropy."""

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the binary cross-entropy of the logit."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(self.logit(model, batch), batch["label"].float())

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the network's logit; positive means fake."""
        logits: Tensor = model(batch["image"])[:, 0]
        return logits


class TwoLogits(Detector):
    """A detector whose network has two logits, real and fake, and is trained with cross-entropy.

    ``inputs`` are the tensors of a view in the order in which the network takes them. A parameter ``smoothing`` is the
    label smoothing of the loss.
    """

    inputs: ClassVar[tuple[str, ...]] = ("image",)

    def _logits(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        logits: Tensor = model(*(batch[name] for name in self.inputs))
        return logits

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the cross-entropy."""
        from torch.nn.functional import cross_entropy

        smoothing = getattr(self.params, "smoothing", 0.0)
        return cross_entropy(self._logits(model, batch), batch["label"], label_smoothing=smoothing)

    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the difference of the two logits, fake minus real."""
        real, fake = self._logits(model, batch).unbind(1)
        difference: Tensor = fake - real
        return difference


class Sizes(Protocol):
    """The parameters of CNNDetection's preprocessing and augmentation."""

    @property
    def load_size(self) -> int:
        """Length of the shorter side in training, in pixels."""

    @property
    def crop_size(self) -> int:
        """Side of the crop, in pixels."""

    @property
    def blur_prob(self) -> float:
        """Probability of blur in training."""

    @property
    def jpg_prob(self) -> float:
        """Probability of JPEG compression in training."""


def cnndetection_view(rgb: RGB, stage: Stage, rng: np.random.Generator, sizes: Sizes) -> RGB:
    """Apply CNNDetection's geometry and augmentation: uint8 [crop_size, crop_size, 3].

    Training resizes the shorter side to ``load_size``, then blurs, compresses as JPEG, crops at random and flips.
    Testing takes the centre crop without resizing (``--no_resize``). A smaller image is zero-padded before the crop.
    PeterWang512/CNNDetection@ea0b562:data/datasets.py.
    """
    from methods._shared.augment import blur_or_jpeg

    if stage == "test":
        return crop(pad_to_square(rgb, sizes.crop_size), sizes.crop_size, None)
    rgb = blur_or_jpeg(resize_short_side(rgb, sizes.load_size), sizes.blur_prob, sizes.jpg_prob, rng)
    rgb = crop(pad_to_square(rgb, sizes.crop_size), sizes.crop_size, rng)
    return rgb[:, ::-1] if rng.random() < 0.5 else rgb


def drct_view(rgb: RGB, stage: Stage, rng: np.random.Generator, size: int, full: bool = True) -> RGB:
    """Apply DRCT's geometry and augmentation: uint8 [size, size, 3] at native resolution, zero-padded if smaller.

    ``full`` False leaves out DRCT's rescaling, colour, dropout, greyscale and warping.
    """
    from methods._shared import drct

    if stage == "test":
        return drct.test_view(rgb, size)
    return drct.train_view(rgb, size, drct.Turn.draw(rng), full, rng)


class Optimisation(Protocol):
    """The parameters of DRCT's training schedule."""

    @property
    def lr(self) -> float:
        """Maximum learning rate."""

    @property
    def weight_decay(self) -> float:
        """AdamW's weight decay."""

    @property
    def cosine(self) -> int:
        """Half period of the learning rate, in epochs."""

    @property
    def epochs(self) -> int:
        """Number of epochs."""

    @property
    def batch_size(self) -> int:
        """Images per step."""


def drct_schedule(p: Optimisation) -> Schedule:
    """AdamW with a cosine learning rate; the epoch with the best validation accuracy is kept."""
    return Schedule(
        p.epochs,
        p.batch_size,
        "adamw",
        p.lr,
        weight_decay=p.weight_decay,
        cosine=p.cosine,
        keep_best=True,
    )
