"""References to training and test examples: which item, which pixels, which artefacts, which label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.artefacts.reader import Reader
from bench.detector import Example, Method, Sample, Stage
from bench.recipe import IMAGE, Recipe
from bench.types import Item, Slice


@dataclass(frozen=True)
class _Artefacts(Mapping[str, Any]):
    """The artefacts of one item, each read when it is asked for: an example seldom looks at all of them."""

    needs: Mapping[str, Recipe]
    reader: Reader
    item: Item

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - images, texts or numbers
        return self.reader.artefact(self.needs[name], self.item)

    def __iter__(self) -> Iterator[str]:
        return iter(self.needs)

    def __len__(self) -> int:
        return len(self.needs)


@dataclass(frozen=True)
class Reference:
    """One example. ``donor`` is the item whose artefacts are shown: the item itself except in the permuted control."""

    part: Slice
    item: Item
    donor: Item
    example: Example
    needs: Mapping[str, Recipe]

    @property
    def label(self) -> int:
        """1 = fake, 0 = real, −1 unknown."""
        label = self.item.label if self.example.label is None else self.example.label
        return -1 if label is None else label

    def sample(self, reader: Reader) -> Sample:
        """Read the example's pixels and artefacts."""
        shown = self.example.pixels
        rgb = reader.image(self.part, self.item) if shown == IMAGE else reader.artefact(self.needs[shown], self.item)
        artefacts = _Artefacts(self.needs, reader, self.donor)
        return Sample(rgb, artefacts, reader.facts(self.part, self.item), shown)


def substituted(needs: Mapping[str, Recipe], ready: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """Needs with every artefact of a name in ``ready`` taken from there, those that others stand on included."""
    return {name: ready.get(name) or recipe.given(ready) for name, recipe in needs.items()}


def references(
    method: Method,
    parts: Sequence[Slice],
    hashes: Mapping[str, str],
    stage: Stage,
    ready: Mapping[str, Recipe] | None = None,
) -> tuple[Reference, ...]:
    """Every example of the readable items of ``parts``; ``hashes`` gives the content hash of each weights role.

    ``ready`` are recipes of artefacts that stand in the place of the method's own by name. In training the method's own
    examples, else each image once with its label.
    """
    kinds = method.examples() if stage == "train" else (Example(),)
    found = []
    for part in parts:
        wanted = substituted(method.needs(stage), ready or {})
        needs = {name: part.bound(r).resolve(hashes) for name, r in wanted.items()}
        found += [
            Reference(part, item, item, kind, needs)
            for kind in kinds
            for item in part.usable
            if stage == "test" or item.label in kind.of
        ]
    return tuple(found)


def permuted(refs: Sequence[Reference], seed: int) -> tuple[Reference, ...]:
    """The same examples with the artefacts of other images: a cyclic shift of a seeded order, so none keeps its own.

    A method that uses its artefacts must fail on these.
    """
    order = np.random.default_rng(seed).permutation(len(refs))
    donor = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    return tuple(replace(ref, donor=refs[donor[index]].item) for index, ref in enumerate(refs))
