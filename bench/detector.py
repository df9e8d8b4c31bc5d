"""The contract between a method and the harness.

A method declares which artefacts it needs, how it trains and how it scores. It never opens a file, depends on a
dataset or computes a metric. Importing a method must not import torch; import it inside ``build``, ``view``, ``loss``
and ``logit``.
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
Budget = Literal["recipe", "plateau"]
RGB = NDArray[np.uint8]
#: A parameter that is a probability or a fraction, in [0, 1]. The range of any other parameter follows from its default
#: value; see :func:`bench.suites.suite.instantiate`.
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Card:
    """What a reader of the tables must know about a method.

    ``year`` is the year of the paper, by which tables are ordered; 0 for a trivial baseline. ``weights`` maps the role
    of each pretrained model to its use. ``label_convention`` is the meaning of the labels in the official code.
    ``geometry`` describes the resize and crop of test images, and the library whose rules they follow; empty for a
    trivial baseline. ``deviations`` lists the differences from the paper or its code, with reasons. Raise ``version``
    whenever a score can change.
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
    """Properties of an image file other than its pixels.

    ``container`` is the file format, such as ``jpeg`` or ``png``. ``quality`` is the estimated JPEG quality, 0 if the
    file is not a JPEG. ``width`` and ``height`` are in pixels, ``bytes`` is the file size. After a protocol,
    ``container`` is ``png`` and ``quality`` is 0.
    """

    container: str
    quality: int
    width: int
    height: int
    bytes: int


@dataclass(frozen=True)
class Sample:
    """One image with its artefacts.

    ``rgb`` is uint8 [H, W, 3]. ``artefacts`` maps each name from :meth:`Method.needs` to the payload of its engine; an
    image payload is uint8 [H, W, 3] too. ``kind`` is the ``pixels`` of the :class:`Example`: ``image`` if ``rgb`` is
    the image itself, else the name of the artefact that replaces it.
    """

    rgb: RGB
    artefacts: Mapping[str, Any]
    facts: Facts
    kind: str = IMAGE


@dataclass(frozen=True)
class Example:
    """A kind of training example.

    ``pixels`` is ``image`` or the name of an artefact that replaces the image. ``of`` lists the labels of the images
    that are used (0 = real, 1 = fake). ``label`` is the training label; None keeps the label of the image. ``paired``:
    the view holds images of both labels, such as a photograph and its reconstruction, which the loss tells apart.
    """

    pixels: str = IMAGE
    of: tuple[int, ...] = (0, 1)
    label: int | None = None
    paired: bool = False


@dataclass(frozen=True)
class Schedule:
    """Optimiser, learning rate schedule and stopping rule of a network.

    ``epochs`` is the number of epochs, or the maximum if ``plateau`` is set. ``plateau`` is the early stop of the
    CNNDetection family. ``cosine`` is the half period, in epochs, of a learning rate that oscillates between ``lr``
    and 0 (torch's CosineAnnealingLR, stepped once per epoch). With ``step_size``, the learning rate is multiplied by
    ``gamma`` every ``step_size`` epochs (torch's StepLR). ``clip_norm`` is the maximum norm of the gradient over all
    weights. ``keep_best`` keeps the epoch with the best validation accuracy, the earliest if several are equal;
    otherwise the last epoch is kept. ``plateau`` also keeps the best epoch. ``rate_factors`` maps a prefix of weight
    names to a factor on their learning rate.
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
    """Early stop on validation accuracy, or on the validation loss if ``measure`` is ``loss``.

    After ``patience`` epochs without a gain in validation accuracy, the learning rate is multiplied by ``factor``.
    Training stops when it is below ``min_lr``. ``gains`` are the smallest improvements that count as a gain, before and
    after the first reduction of the learning rate.
    """

    patience: int = 5
    gains: tuple[float, float] = (0.001, 0.002)
    factor: float = 0.1
    min_lr: float = 1e-6
    measure: Literal["accuracy", "loss"] = "accuracy"


class Method(ABC):
    """Base class of detectors and statistics: a card, typed parameters and the artefacts that are needed.

    ``Params`` is a frozen dataclass whose defaults are the paper's values. Suites override them by name; an unknown
    name is an error. ``variants`` maps the name of a variant to the parameters that it changes.
    """

    card: ClassVar[Card]
    Params: ClassVar[type]
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    #: The variants that lack a part of the method, to show what that part adds. Reports compare but do not rank them.
    ablations: ClassVar[tuple[str, ...]] = ()
    #: Whether it separates generated from real images. A method that only attributes images to generators must be named
    #: explicitly.
    detects: ClassVar[bool] = True
    #: Whether ``--methods all`` has it; ``--methods everything`` has all that detect.
    in_all: ClassVar[bool] = True
    #: How long a network is trained; a suite sets it (:mod:`bench.training.budgets`).
    budget: Budget = "recipe"
    #: The generators that can be the target of attribution; empty if any generator can.
    targets: tuple[str, ...] = ()
    #: Other forms in which users may supply an artefact, mapped to the artefact that :meth:`from_form` makes from them.
    forms: ClassVar[Mapping[str, str]] = {}

    def __init__(self, params: Any) -> None:  # noqa: ANN401 - each method has its own Params
        self.params = params

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The recipes of the artefacts needed for every image of a stage, by name; none by default."""
        return {}

    def from_form(self, value: Any, rgb: RGB) -> Any:  # noqa: ANN401 - images, texts or numbers
        """Convert ``value``, which has one of :attr:`forms`, to the artefact; unchanged by default.

        ``rgb`` is the image that it belongs to. Raises ValueError if the value does not fit the image.
        """
        return value

    def roles(self) -> Sequence[str]:
        """The roles of the pretrained weights that ``build`` loads; by default all roles on the card."""
        return tuple(self.card.weights)

    def examples(self) -> Sequence[Example]:
        """The kinds of training examples; by default the images themselves with their labels."""
        return (Example(),)


class Detector(Method):
    """A method with a network: it builds a module, converts samples to tensors, and has a loss and a logit (1 = fake).

    If ``calibrates`` is True, :meth:`calibrate` receives all training images once, as test views, before training. If
    ``ragged`` is True, the tensors of different views may differ in their last two axes; a batch is padded with zeros
    at the bottom and the right.
    """

    calibrates: ClassVar[bool] = False
    ragged: ClassVar[bool] = False

    @abstractmethod
    def build(self, weights: Mapping[str, Any]) -> nn.Module:
        """Return a new module. ``weights`` maps roles of the card to folders or files. The harness sets the seed."""

    @abstractmethod
    def view(self, sample: Sample, stage: Stage, rng: np.random.Generator) -> Mapping[str, Tensor]:
        """Convert a sample to tensors without a batch axis, with the method's own preprocessing.

        All randomness must come from ``rng``; a ``test`` view must not use it.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the scalar training loss; ``batch['label']`` is int64 [B] with 1 = fake."""

    @abstractmethod
    def logit(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the log-odds log P(fake) − log P(real) of a batch, float [B]."""

    def calibrate(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Compute statistics of the training data, such as a mean, and store them in buffers of the model."""

    #: Entries of the module's state dict that companion weights set, so a checkpoint may lack them.
    beside_checkpoint: ClassVar[tuple[str, ...]] = ()

    def companions(self) -> Sequence[str]:
        """The roles that ``build`` needs even if a checkpoint is loaded afterwards, such as frozen encoders.

        In that case ``build`` receives only these weights; all others come from the checkpoint.
        """
        return ()

    def official(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Convert an official checkpoint to this module's names and label convention; unchanged by default.

        Tensors of a frozen encoder are left out, because it is not part of the module's state dict.
        """
        return state

    def copies(self, state: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
        """The companion weights that an official checkpoint contains, by role, in their authors' layout.

        None by default. Such a copy is used unless the user names other weights, because the checkpoint was trained
        with it.
        """
        return {}

    def foreign(self, model: nn.Module, state: Mapping[str, Tensor]) -> str:
        """Why an official checkpoint does not match this model although its tensors fit; '' if it matches."""
        return ""

    def checkpoint_hint(self, own: Collection[str]) -> str:
        """A warning for users who score official checkpoints with this variant; '' if there is none.

        ``own`` lists the roles for which the user named weights.
        """
        return ""

    @abstractmethod
    def schedule(self) -> Schedule:
        """Return the optimiser, number of epochs, batch size, learning rate and stopping rule."""


class Statistic(Method):
    """A trivial baseline: one number or word per image, without a network. Every serious detector should beat it.

    A word is scored by the log-odds of fake among the training images with the same word, a number by a logistic
    regression with one variable.
    """

    @abstractmethod
    def value(self, sample: Sample) -> float | str:
        """Return the statistic of one image."""


class TrainingFree(Statistic):
    """A published detector that is not trained: one number per image, larger for generated ones.

    Its fit is a calibration: the number becomes log-odds by a logistic regression with one variable that may not turn
    its direction round, so AUC and AP are those of the number itself. Networks belong in engines, whose artefacts are
    kept; ``value`` reads them.
    """

    @abstractmethod
    def value(self, sample: Sample) -> float:
        """Return the score of one image; any monotone scale, larger = fake."""


def is_baseline(method: Method | type[Method]) -> bool:
    """Whether a method is a trivial baseline, which tables show below the detectors and do not rank."""
    kind = method if isinstance(method, type) else type(method)
    return issubclass(kind, Statistic) and not issubclass(kind, TrainingFree)
