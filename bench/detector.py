"""The contract between a method and the harness.

A method says what it needs, how it learns and how it scores. It never opens a file, knows a dataset or computes a
metric. Importing a method must not import torch; it is imported inside ``build``, ``view``, ``loss`` and ``logit``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bench.recipe import IMAGE, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

Stage = Literal["train", "test"]
STAGES: tuple[Stage, ...] = ("train", "test")
RGB = NDArray[np.uint8]
#: A parameter that is a probability or a share. Others are bounded by their defaults, see ``suites.instantiate``.
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Card:
    """What the reader of a table must know about a method.

    ``year`` is that of the paper, by which tables are ordered; 0 for a control. ``weights`` names the pretrained models
    it starts from by role, ``label_convention`` what the official code calls positive, ``geometry`` whose resize and
    crop its test images go through (empty for a control), ``deviations`` where this differs from the paper and why.
    Raise ``version`` whenever a score can change.
    """

    title: str
    paper: str
    code: str
    licence: str
    pretraining: str
    label_convention: str
    version: int
    weights: Mapping[str, str] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()
    year: int = 0
    geometry: str = ""


@dataclass(frozen=True)
class Facts:
    """What is known of a file without its pixels; ``quality`` is 0 and ``container`` ``png`` after a protocol."""

    container: str
    quality: int
    width: int
    height: int
    bytes: int


@dataclass(frozen=True)
class Sample:
    """One image with its artefacts: ``rgb`` uint8 [H, W, 3]; artefacts as the engine's payload (images likewise).

    ``kind`` is the :class:`Example`'s ``pixels``: the image itself, or the artefact that stands for it.
    """

    rgb: RGB
    artefacts: Mapping[str, Any]
    facts: Facts
    kind: str = IMAGE


@dataclass(frozen=True)
class Example:
    """A kind of training example: pixels from the image or an artefact, of images with a label in ``of``.

    ``label`` None keeps the image's own label.
    """

    pixels: str = IMAGE
    of: tuple[int, ...] = (0, 1)
    label: int | None = None


@dataclass(frozen=True)
class Schedule:
    """How a network learns.

    ``plateau`` None trains ``epochs`` epochs; else it is the early stop of the CNNDetection family: after ``patience``
    epochs without a gain in validation accuracy the rate falls tenfold, until below ``min_lr``. ``cosine`` is the half
    period in epochs of a rate that swings between ``lr`` and 0 (torch's CosineAnnealingLR stepped once an epoch);
    with ``step_size`` the rate is multiplied by ``gamma`` every so many epochs (torch's StepLR).
    ``clip_norm`` bounds the norm of the gradient of all weights. ``keep_best`` keeps the epoch with the best validation
    accuracy, the earliest of equals; else the last is kept. ``rate_factors`` multiply the rate of weights whose names
    begin with a prefix.
    """

    epochs: int
    batch_size: int
    optimizer: Literal["adam", "adamw"] = "adam"
    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    plateau: Plateau | None = None
    cosine: int | None = None
    step_size: int | None = None
    gamma: float = 0.1
    clip_norm: float | None = None
    keep_best: bool = False
    rate_factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plateau:
    """Early stop on validation accuracy; ``gains`` are the least improvements before and after the first fall."""

    patience: int = 5
    gains: tuple[float, float] = (0.001, 0.002)
    factor: float = 0.1
    min_lr: float = 1e-6


class Method(ABC):
    """What networks and statistics share: a card, typed parameters and the artefacts they ask for.

    ``Params`` is a frozen dataclass whose defaults are the paper's; suites override them by name, and an unknown name
    is refused. ``variants`` maps a variant's name to the parameters it changes.
    """

    card: ClassVar[Card]
    Params: ClassVar[type]
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    #: Whether it tells generated from real; one that only tells generators apart is asked for by name.
    detects: ClassVar[bool] = True
    #: The generators that it can be asked about in attribution; empty where any will do.
    targets: tuple[str, ...] = ()
    #: Other forms in which a person may have an artefact, and the artefact that :meth:`from_form` makes of each.
    forms: ClassVar[Mapping[str, str]] = {}

    def __init__(self, params: Any) -> None:  # noqa: ANN401 - each method has its own Params
        self.params = params

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The artefacts wanted for every image of a stage, by name; none unless overridden."""
        return {}

    def from_form(self, value: Any, rgb: RGB) -> Any:  # noqa: ANN401 - images, texts or numbers
        """The artefact that one of :attr:`forms` stands for; ``rgb`` is the image it belongs to."""
        return value

    def roles(self) -> Sequence[str]:
        """The weights roles that ``build`` loads; those of the card unless parameters leave some out."""
        return tuple(self.card.weights)

    def examples(self) -> Sequence[Example]:
        """What is trained on; the images themselves with their labels unless overridden."""
        return (Example(),)


class Detector(Method):
    """A network: builds a module, turns a sample into tensors, learns by a loss, scores by a logit (1 = fake).

    One that ``calibrates`` is shown all training images once, as test views, before it learns. The views of a
    ``ragged`` one may differ in their last two axes: a batch pads them with zeros at the bottom and the right.
    """

    calibrates: ClassVar[bool] = False
    ragged: ClassVar[bool] = False

    @abstractmethod
    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """A fresh module; ``weights`` maps the card's roles to folders or files. Seeded by the harness."""

    @abstractmethod
    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """The sample as tensors without a batch axis, with the method's own preprocessing.

        All randomness comes from ``rng``; a ``test`` view draws nothing.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The scalar training loss; ``batch['label']`` is int64 [B] with 1 = fake."""

    @abstractmethod
    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The log-odds log P(fake) − log P(real) for a batch, float [B]."""

    def calibrate(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Set what the model knows of its training data beforehand, such as a mean; keep it in the model's buffers."""

    #: Entries of the module's state that a companion sets and no checkpoint holds.
    beside_checkpoint: ClassVar[tuple[str, ...]] = ()

    def companions(self) -> Sequence[str]:
        """The weights roles that ``build`` needs even where a checkpoint is loaded after it, such as frozen encoders.

        ``build`` is then given these alone; every other weight comes from the checkpoint.
        """
        return ()

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors of an official checkpoint under this module's names and label convention; as they are by default.

        Tensors of a frozen encoder, which is no part of the module's own state, are left out.
        """
        return state

    def copies(self, state: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
        """Companions that an official checkpoint holds whole, by role, in their authors' layout; none by default.

        Such a copy is used where the user names no other: it is what the checkpoint was trained with.
        """
        return {}

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """Why an official checkpoint does not belong to this model though its tensors fit; '' where it does."""
        return ""

    def checkpoint_hint(self, own: Collection[str]) -> str:
        """What a person must know who scores official checkpoints by this variant; '' where there is nothing.

        ``own`` are the roles whose weights that person named.
        """
        return ""

    @abstractmethod
    def schedule(self) -> Schedule:
        """Optimiser, epochs, batch and stopping rule."""


class Statistic(Method):
    """One number or word an image, with no network: a shortcut that no serious detector may lose to.

    Words become the log-odds of fake among the training images with the same word; numbers a one-variable logistic
    regression.
    """

    @abstractmethod
    def value(self, sample: Sample) -> float | str:
        """The statistic of one image."""
