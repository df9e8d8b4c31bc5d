"""The caption of another image: a control for methods that reconstruct an image with its own caption."""

from __future__ import annotations

from collections.abc import Sequence

from bench.artefacts.engine import RGB, Imageless, Request
from bench.recipe import DONORS, SOURCE, Recipe


def recipe(caption: Recipe) -> Recipe:
    """The recipe for the ``caption`` of another image of the same slice, whichever class that has."""
    return Recipe(
        ShuffledCaption.name, ShuffledCaption.version, {DONORS: ""}, inputs={"image": SOURCE, "caption": caption}
    )


class ShuffledCaption(Imageless):
    """Caption of the image's donor (:attr:`bench.types.Slice.donors`) → the same text."""

    name = "shuffled_caption"
    version = 1

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[str]:
        """The donors' captions, which the requests have as inputs."""
        return [str(request.inputs["caption"]) for request in requests]


ENGINE = ShuffledCaption
