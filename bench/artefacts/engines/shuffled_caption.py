"""The caption of another image: a control for methods that reconstruct an image with its own caption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.artefacts.engine import RGB, Engine, Request
from bench.models.zoo import Zoo
from bench.progress import Meter
from bench.recipe import DONORS, SOURCE, Recipe


def recipe(caption: Recipe) -> Recipe:
    """The recipe for the ``caption`` of another image of the same slice, whichever class that has."""
    return Recipe(
        ShuffledCaption.name, ShuffledCaption.version, {DONORS: ""}, inputs={"image": SOURCE, "caption": caption}
    )


class ShuffledCaption(Engine):
    """Caption of the image's donor (:attr:`bench.types.Slice.donors`) → the same text."""

    name = "shuffled_caption"
    version = 1
    payload = "txt"
    batch = 64
    seconds = 0.001

    def forwards(self, recipe: Recipe) -> int:
        """Zero: no network is evaluated."""
        return 0

    def load(self, recipe: Recipe, zoo: Zoo, device: str, meter: Meter) -> None:
        """There is nothing to load."""

    def view(self, request: Request) -> RGB:
        """A placeholder of one pixel, because the image is not used."""
        return np.zeros((1, 1, 3), np.uint8)

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[str]:
        """The donors' captions, which the requests have as inputs."""
        return [str(request.inputs["caption"]) for request in requests]


ENGINE = ShuffledCaption
