"""The mean of a map, as one number: the latent reconstruction error of an image in LaRE²'s Figure 1(b) (CVPR 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.artefacts.engine import RGB, Imageless, Request
from bench.recipe import IMAGE, Recipe


def recipe(values: Recipe, image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the mean of the array that ``values`` makes of ``image``."""
    return Recipe("map_mean", MapMean.version, inputs={"image": image, "values": values})


class MapMean(Imageless):
    """Array of any shape → its mean, computed in double precision. The image itself is not used."""

    name = "map_mean"
    version = 1
    payload = "json"

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[float]:
        """Means, in the unit of the array."""
        return [float(np.mean(request.inputs["values"], dtype=np.float64)) for request in requests]


ENGINE = MapMean
