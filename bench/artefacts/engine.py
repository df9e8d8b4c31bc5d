"""The contract of an engine: what turns images into artefacts."""

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

    ``class_name`` is what the image shows according to its dataset (:mod:`bench.data.classes`). It is unknown for
    images of unknown origin; ``class_prompt`` alone reads it.
    """

    image_id: str
    rgb: RGB
    inputs: Mapping[str, Any]
    class_name: str = ""


class Engine(ABC):
    """Makes one kind of artefact.

    ``payload`` is what it makes: ``png`` uint8 [H, W, 3], ``txt``, ``json`` (one number) or ``safetensors`` (an array);
    see :mod:`bench.artefacts.encoding`. ``batch`` is the fixed number of images per forward. ``seconds`` is a rough
    cost per image in one process on a CPU at the miniature's size, used by plans only. ``native``: the artefact has the
    image's size, and a ready-made artefact that a user supplies must have it too.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    payload: ClassVar[str]
    batch: ClassVar[int]
    seconds: ClassVar[float]
    native: ClassVar[bool] = False

    @abstractmethod
    def forwards(self, recipe: Recipe) -> int:
        """Network evaluations for one image."""

    @abstractmethod
    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """Load the models that the recipe names onto the device."""

    @abstractmethod
    def view(self, request: Request) -> RGB:
        """The image at the size the engine works on; requests with equal shapes share a batch."""

    @abstractmethod
    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> Sequence[Any]:
        """One artefact per request. All views have one shape, and there are always ``batch`` of them."""
