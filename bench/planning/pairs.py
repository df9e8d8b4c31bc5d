"""Pairs of a photograph and a fake of one class, for galleries: the same images under every protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from bench.data.classes import CODE
from bench.data.splits import rank
from bench.types import FAKE, REAL, Item, Slice

#: Where in the seeded order of a slice's images those of a gallery are taken from.
_SEED = 7


@cache
def _numbers() -> dict[str, str]:
    """ImageNet's class number of every synset; GenImage names photographs by the one and fakes by the other."""
    from timm.data.imagenet_info import ImageNetInfo

    known: Any = ImageNetInfo()
    return {synset: str(index) for index, synset in enumerate(known.label_names())}


def same_class(name: str) -> str:
    """A class as photographs and fakes both name it: ImageNet's number instead of its synset."""
    if not CODE.fullmatch(name):
        return name
    return _numbers().get(name, name) if name.startswith("n") else str(int(name))


def choose(items: Iterable[Item], count: int) -> list[Item]:
    """``count`` pairs of a photograph and a fake, each two of one class and no class twice, in a seeded order.

    Where too few classes are shared, the rest are pairs of any class.
    """
    ordered = sorted(items, key=lambda item: rank(_SEED, item.image_id))
    pools = {label: [item for item in ordered if item.label == label] for label in (REAL, FAKE)}
    first: dict[str, Item] = {}
    for item in pools[FAKE]:
        first.setdefault(same_class(item.class_name), item)
    pairs: list[tuple[Item, Item]] = []
    for item in pools[REAL]:
        fake = first.pop(same_class(item.class_name), None) if item.class_name else None
        if fake is not None and len(pairs) < count:
            pairs.append((item, fake))
    used = {item.row_id for pair in pairs for item in pair}
    rest = ([item for item in pools[label] if item.row_id not in used] for label in (REAL, FAKE))
    pairs += list(zip(*rest, strict=False))[: count - len(pairs)]
    return [item for pair in pairs for item in pair]


def picked(parts: Mapping[str, Slice | str], count: int) -> dict[str, Slice | str]:
    """A slice under each protocol, or the reason why there is none, cut to ``count`` pairs of images that all have."""
    slices = [part for part in parts.values() if isinstance(part, Slice)]
    shared = set.intersection(*({item.row_id for item in part.usable} for part in slices)) if slices else set()
    chosen: list[str] = []
    if slices:
        chosen = [item.row_id for item in choose((i for i in slices[0].usable if i.row_id in shared), count)]

    def cut(part: Slice) -> Slice:
        known = {item.row_id: item for item in part.usable}
        return replace(part, items=tuple(known[row] for row in chosen), left_out=0)

    return {name: cut(part) if isinstance(part, Slice) else part for name, part in parts.items()}
