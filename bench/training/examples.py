"""References to training and test examples: which item, which pixels, which artefacts, which label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.artefacts.reader import Reader
from bench.detector import Example, Method, Sample, Stage
from bench.recipe import IMAGE, Recipe, Resolve
from bench.types import Item, Slice


@dataclass(frozen=True)
class _Artefacts(Mapping[str, Any]):
    """The artefacts of one item, each read on access: an example seldom uses all of them."""

    needs: Mapping[str, Recipe]
    reader: Reader
    item: Item
    zeroed: bool = False

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - images, texts or numbers
        value = self.reader.artefact(self.needs[name], self.item)
        return _zero(value) if self.zeroed else value

    def __iter__(self) -> Iterator[str]:
        return iter(self.needs)

    def __len__(self) -> int:
        return len(self.needs)


def _zero(value: Any) -> Any:  # noqa: ANN401 - images, texts or numbers
    """An artefact without content: zeros of the same shape, an empty text, or 0."""
    return np.zeros_like(value) if isinstance(value, np.ndarray) else type(value)()


@dataclass(frozen=True)
class Reference:
    """One example. ``donor`` is the item whose artefacts are used: the item itself except in controls.

    If ``zeroed``, the artefacts are replaced by zeros.
    """

    part: Slice
    item: Item
    donor: Item
    example: Example
    needs: Mapping[str, Recipe]
    zeroed: bool = False

    @property
    def label(self) -> int:
        """1 = fake, 0 = real, −1 unknown."""
        label = self.item.label if self.example.label is None else self.example.label
        return -1 if label is None else label

    @property
    def labels(self) -> set[int]:
        """The labels of the images in its view."""
        return {0, 1} if self.example.paired else {self.label}

    def sample(self, reader: Reader) -> Sample:
        """Read the example's pixels and artefacts."""
        kind = self.example.pixels
        rgb = reader.image(self.part, self.item) if kind == IMAGE else reader.artefact(self.needs[kind], self.item)
        artefacts = _Artefacts(self.needs, reader, self.donor, self.zeroed)
        return Sample(rgb, artefacts, reader.facts(self.part, self.item), kind)


def substituted(needs: Mapping[str, Recipe], ready: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """Needs with every artefact whose name is in ``ready`` taken from there, inputs of other artefacts included."""
    return {name: ready.get(name) or recipe.given(ready) for name, recipe in needs.items()}


def references(
    method: Method,
    parts: Sequence[Slice],
    resolve: Resolve,
    stage: Stage,
    ready: Mapping[str, Recipe] | None = None,
) -> tuple[Reference, ...]:
    """Every example of the readable items of ``parts``; ``resolve`` fills in the weights of their artefacts' recipes.

    ``ready`` are recipes that replace the method's own artefacts by name. In training the examples are those that the
    method declares; in testing each image is used once, with its label.
    """
    kinds = method.examples() if stage == "train" else (Example(),)
    refs = []
    for part in parts:
        recipes = substituted(method.needs(stage), ready or {})
        needs = {name: resolve(part.bound(recipe)) for name, recipe in recipes.items()}
        refs += [
            Reference(part, item, item, kind, needs)
            for kind in kinds
            for item in part.usable
            if stage == "test" or item.label in kind.of
        ]
    return tuple(refs)


def controlled(control: str, refs: Sequence[Reference], seed: int) -> tuple[Reference, ...]:
    """The same examples with the artefacts of a control (:data:`bench.controls.CONTROLS`).

    A seeded order gives each image the artefacts of another one. ``other_noise`` has artefacts of other recipes, and
    changes nothing here.
    """
    if control == "zeroed":
        return tuple(replace(ref, zeroed=True) for ref in refs)
    if control not in ("permuted", "permuted_within", "permuted_across"):
        return tuple(refs)
    order = np.random.default_rng(seed).permutation(len(refs))
    labels = np.asarray([ref.label for ref in refs])[order]
    groups = [order] if control == "permuted" else [order[labels == label] for label in np.unique(labels)]
    # The next of the same group, or the next of the other group, which begins again at its end.
    given = groups[::-1] if control == "permuted_across" else [np.roll(group, 1) for group in groups]
    donors = [np.resize(source, len(group)) for group, source in zip(groups, given, strict=True)]
    of = dict(zip(np.concatenate(groups).tolist(), np.concatenate(donors).tolist(), strict=True))
    return tuple(replace(ref, donor=refs[of[index]].item) for index, ref in enumerate(refs))
