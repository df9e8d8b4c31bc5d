"""The cosine of two embeddings, as one number: the CLIP score in SemGIR's Table 3 (ACM MM 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.artefacts.engine import RGB, Imageless, Request
from bench.recipe import IMAGE, Recipe


def recipe(one: Recipe, other: Recipe, image: Recipe | str = IMAGE) -> Recipe:
    """The recipe for the cosine of the embeddings ``one`` and ``other``, in −1…1."""
    return Recipe("cosine", Cosine.version, inputs={"image": image, "one": one, "other": other})


class Cosine(Imageless):
    """Two vectors of one length → their cosine; 0 if one of them is zero. The image itself is not used."""

    name = "cosine"
    version = 1
    payload = "json"

    def run(self, requests: Sequence[Request], views: Sequence[RGB]) -> list[float]:
        """Cosines."""
        found = []
        for request in requests:
            one, other = (np.asarray(request.inputs[name], np.float64).ravel() for name in ("one", "other"))
            length = float(np.linalg.norm(one) * np.linalg.norm(other))
            found.append(float(one @ other) / length if length else 0.0)
        return found


ENGINE = Cosine
