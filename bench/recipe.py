"""Recipes: how one artefact is made, and its content key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from json.encoder import encode_basestring_ascii
from types import MappingProxyType
from typing import Any

#: The image file as it is in the dataset.
SOURCE = "source"
#: In a need: the image that the method receives, after any protocol. The planner binds it to a slice's pixels.
IMAGE = "image"
#: Parameter of recipes whose artefacts depend on the images' classes: the digest of the classes, so that the key covers
#: them.
CLASSES = "classes"
#: Parameter of recipes whose other inputs are those of another image of the slice: the digest of its images.
DONORS = "donors"


def content_key(value: object) -> str:
    """A 32-digit hexadecimal key of a JSON-like value; equal values have equal keys on every machine."""
    if type(value) is list and all(type(part) is str for part in value):  # As below, in a fifth of the time.
        text = f"[{','.join(map(encode_basestring_ascii, value))}]"
    else:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Recipe:
    """How an artefact is made from an image.

    ``weights`` maps a model role (``sdv1``) to the content hash of its files, empty until the planner has resolved it.
    ``inputs`` maps a name to another recipe, :data:`SOURCE` or :data:`IMAGE`, so recipes chain. ``numerics`` says how
    the network is evaluated (:mod:`bench.numerics`); it is empty for the reference. The ``key`` covers all fields;
    paths and counts are not part of it.
    """

    engine: str
    version: int
    params: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    inputs: Mapping[str, Recipe | str] = field(default_factory=lambda: {"image": IMAGE})
    numerics: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """The recipe as plain JSON, inputs written out."""
        inputs = {name: r.describe() if isinstance(r, Recipe) else r for name, r in self.inputs.items()}
        described = {
            "engine": self.engine,
            "version": self.version,
            "params": dict(self.params),
            "weights": dict(self.weights),
            "seed": self.seed,
            "inputs": inputs,
        }
        return described | ({"numerics": dict(self.numerics)} if self.numerics else {})

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> Recipe:
        """The recipe that :meth:`describe` gave. Raises KeyError for a part that is absent."""
        inputs = {n: cls.read(v) if isinstance(v, Mapping) else str(v) for n, v in described["inputs"].items()}
        parts = {name: described[name] for name in ("engine", "version", "params", "weights", "seed")}
        return cls(**parts, inputs=inputs, numerics=described.get("numerics", {}))

    @cached_property
    def key(self) -> str:
        """Content key; the name of the recipe's folder in the store."""
        return content_key(self.describe())

    @cached_property
    def engine_key(self) -> str:
        """Content key of what an engine loads for this recipe: all fields, but of its inputs only the names."""
        return content_key(self.describe() | {"inputs": sorted(self.inputs)})

    def __hash__(self) -> int:
        return hash(self.key)

    def bind(self, image: Recipe | str, digests: Mapping[str, str] = MappingProxyType({})) -> Recipe:
        """The recipe with :data:`IMAGE` replaced by ``image``, in its inputs' inputs too.

        ``digests`` are those of a slice's class names and images, for recipes with a parameter :data:`CLASSES` or
        :data:`DONORS`.
        """
        bound = {
            name: image if value == IMAGE else value.bind(image, digests) if isinstance(value, Recipe) else value
            for name, value in self.inputs.items()
        }
        own = {name: digest for name, digest in digests.items() if name in self.params}
        return replace(self, inputs=bound, params={**self.params, **own} if own else self.params)

    @cached_property
    def of_slice(self) -> frozenset[str]:
        """What the artefact depends on besides its own image: :data:`CLASSES`, :data:`DONORS`, both or nothing."""
        recipes = [value for value in self.inputs.values() if isinstance(value, Recipe)]
        return frozenset({CLASSES, DONORS} & self.params.keys()).union(*(recipe.of_slice for recipe in recipes))

    @property
    def uses_class(self) -> bool:
        """Whether this recipe, or one that it depends on, uses the class that the dataset gives for an image."""
        return CLASSES in self.of_slice

    def given(self, ready: Mapping[str, Recipe]) -> Recipe:
        """The recipe with every input whose name is in ``ready`` replaced by that recipe, in its inputs' inputs too."""
        inputs = {
            name: ready.get(name) or (value.given(ready) if isinstance(value, Recipe) else value)
            for name, value in self.inputs.items()
        }
        return replace(self, inputs=inputs)

    def resolve(self, hashes: Mapping[str, str], numerics: Mapping[str, str] | None = None) -> Recipe:
        """The recipe with the content hash of every weights role filled in, in its inputs too.

        ``numerics`` are those of the recipes that evaluate a network, that is, have weights.
        """
        inputs = {n: v.resolve(hashes, numerics) if isinstance(v, Recipe) else v for n, v in self.inputs.items()}
        weights = {role: hashes[role] for role in self.weights}
        return replace(self, weights=weights, inputs=inputs, numerics=(numerics or {}) if weights else {})

    def roles(self) -> frozenset[str]:
        """Every weights role that this recipe and its inputs use."""
        roles = [value.roles() for value in self.inputs.values() if isinstance(value, Recipe)]
        return frozenset(self.weights).union(*roles)

    def closure(self) -> tuple[Recipe, ...]:
        """All recipes that this one depends on, then itself, each once, in an order in which they can be made."""
        ordered: dict[str, Recipe] = {}
        for value in self.inputs.values():
            if isinstance(value, Recipe):
                ordered.update({recipe.key: recipe for recipe in value.closure()})
        ordered[self.key] = self
        return tuple(ordered.values())


#: Fills in the content hashes of weights and the numerics of a recipe and its inputs.
Resolve = Callable[[Recipe], Recipe]
