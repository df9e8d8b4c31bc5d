"""How one artefact is made, and the content key that follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

#: The image as it lies in the dataset.
SOURCE = "source"
#: In a need: the image as the method is given it, through whatever protocol. The planner binds it to a slice's pixels.
IMAGE = "image"
#: The parameter of a recipe whose artefact depends on the images' classes: their digest, so that its key covers them.
CLASSES = "classes"


def content_key(value: object) -> str:
    """A 32-digit hexadecimal key of a JSON-like value; equal values have equal keys on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Recipe:
    """One way of making an artefact from an image.

    ``weights`` maps a model role (``sdv1``) to the content hash of its files, empty until the planner has resolved it.
    ``inputs`` maps a name to another recipe, :data:`SOURCE` or :data:`IMAGE`, so recipes chain. The ``key`` covers all
    fields; paths, counts and batch sizes are no part of it.
    """

    engine: str
    version: int
    params: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    inputs: Mapping[str, Recipe | str] = field(default_factory=lambda: {"image": IMAGE})

    def describe(self) -> dict[str, Any]:
        """The recipe as plain JSON, inputs written out."""
        inputs = {name: r.describe() if isinstance(r, Recipe) else r for name, r in self.inputs.items()}
        return {
            "engine": self.engine,
            "version": self.version,
            "params": dict(self.params),
            "weights": dict(self.weights),
            "seed": self.seed,
            "inputs": inputs,
        }

    @cached_property
    def key(self) -> str:
        """Content key; names the recipe's folder in the store."""
        return content_key(self.describe())

    @cached_property
    def engine_key(self) -> str:
        """Content key of what an engine loads for this recipe: all but what its inputs are made of."""
        return content_key(self.describe() | {"inputs": sorted(self.inputs)})

    def __hash__(self) -> int:
        return hash(self.key)

    def bind(self, image: Recipe | str, classes: str = "") -> Recipe:
        """The recipe with :data:`IMAGE` replaced by ``image``, in its inputs' inputs too.

        ``classes`` is the digest of what a slice's images show, for recipes that are told it (:attr:`uses_class`).
        """
        bound = {
            name: image if source == IMAGE else source.bind(image, classes) if isinstance(source, Recipe) else source
            for name, source in self.inputs.items()
        }
        params = {**self.params, CLASSES: classes} if CLASSES in self.params else self.params
        return replace(self, inputs=bound, params=params)

    @cached_property
    def uses_class(self) -> bool:
        """Whether this recipe, or one it stands on, is told the class that its dataset says an image shows."""
        below = [source for source in self.inputs.values() if isinstance(source, Recipe)]
        return CLASSES in self.params or any(source.uses_class for source in below)

    def given(self, ready: Mapping[str, Recipe]) -> Recipe:
        """The recipe with every input of a name in ``ready`` replaced by that recipe, in its inputs' inputs too."""
        inputs = {
            name: ready.get(name) or (source.given(ready) if isinstance(source, Recipe) else source)
            for name, source in self.inputs.items()
        }
        return replace(self, inputs=inputs)

    def resolve(self, hashes: Mapping[str, str]) -> Recipe:
        """The recipe with the content hash of every weights role filled in, in its inputs too."""
        inputs = {n: s.resolve(hashes) if isinstance(s, Recipe) else s for n, s in self.inputs.items()}
        return replace(self, weights={role: hashes[role] for role in self.weights}, inputs=inputs)

    def roles(self) -> frozenset[str]:
        """Every weights role that this recipe and its inputs name."""
        below = [source.roles() for source in self.inputs.values() if isinstance(source, Recipe)]
        return frozenset(self.weights).union(*below)

    def closure(self) -> tuple[Recipe, ...]:
        """The recipe after all recipes it stands on, each once: the order in which they can be made."""
        ordered: dict[str, Recipe] = {}
        for source in self.inputs.values():
            if isinstance(source, Recipe):
                ordered.update({recipe.key: recipe for recipe in source.closure()})
        ordered[self.key] = self
        return tuple(ordered.values())
