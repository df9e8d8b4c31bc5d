"""The interface of an engine, which computes artefacts from images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import Recipe

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Request:
    """One artefact to make: the image's id, its pixels uint8 [H, W, 3], and its other inputs by name.

    ``class_name`` is the image's semantic class according to its dataset (:mod:`bench.data.classes`), or empty for
    images of unknown origin. Only ``class_prompt`` uses it.
    """

    image_id: str
    rgb: RGB
    inputs: Mapping[str, Any]
    class_name: str = ""


class Engine(ABC):
    """Makes one kind of artefact.

    ``payload`` is the type of its output: ``png`` uint8 [H, W, 3], ``txt``, ``json`` (one number) or ``safetensors``
    (an array); see :mod:`bench.artefacts.encoding`. ``batch`` is the number of images per forward pass.
    ``seconds`` is a rough cost per image in one process on a CPU at the miniature's size, used by plans only. If
    ``native``, the artefact has the image's size, and an artefact supplied by a user must have it too. If ``half``, its
    networks may run under autocast in half precision; not those whose artefact is a small difference or a gradient. If
    ``draws_noise``, the artefact depends on the recipe's seed. If ``reconstructs``, it is meant to look like the image.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    payload: ClassVar[str]
    batch: ClassVar[int]
    seconds: ClassVar[float]
    native: ClassVar[bool] = False
    half: ClassVar[bool] = False
    draws_noise: ClassVar[bool] = False
    reconstructs: ClassVar[bool] = False

    @abstractmethod
    def forwards(self, recipe: Recipe) -> int:
        """Network evaluations for one image."""

    def shape(self, recipe: Recipe, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """Height and width of the view, as far as they are known before the image is read.

        ``sizes`` has height and width of the ``image`` and of each other input that is an image. Images are grouped by
        it before they are read, so that few batches remain incomplete; views are grouped again by the shape that they
        turn out to have. The default is for engines whose views all have one shape.
        """
        return 0, 0

    @abstractmethod
    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the models that the recipe names onto the device."""

    @abstractmethod
    def view(self, request: Request) -> RGB:
        """The image at the engine's working size: uint8 [H, W, 3]. Views of equal shape share a batch."""

    @abstractmethod
    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> Sequence[Any]:
        """One artefact per request. All views have the same shape, and there are at most ``batch`` of them.

        An artefact must not depend on the other images of its batch.
        """


class Imageless(Engine):
    """Makes a text from what is known of an image, without its pixels and without a network."""

    payload = "txt"
    batch = 64
    seconds = 0.001

    def forwards(self, recipe: Recipe) -> int:
        """Zero: no network is evaluated."""
        return 0

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """There is nothing to load."""

    def view(self, request: Request) -> RGB:
        """A placeholder of one pixel."""
        return np.zeros((1, 1, 3), np.uint8)
