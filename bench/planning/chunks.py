"""Group the images of a job into chunks before any of them is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby

from bench import discover
from bench.artefacts.engine import Engine
from bench.artefacts.presented import PRESENTED
from bench.artefacts.store import Store
from bench.operations import Operation
from bench.recipe import Recipe
from bench.types import Item, Job

#: Largest number of images in a chunk.
CHUNK = 64


@cache
def _engine(name: str) -> Engine:
    """An engine that is not loaded."""
    engine: Engine = discover.engine(name)()
    return engine


def _shape(recipe: Recipe, image: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a recipe's view of an image of the size (height, width), as far as they are known."""
    if recipe.engine in PRESENTED:
        return image
    sizes = {n: _shape(value, image) if isinstance(value, Recipe) else image for n, value in recipe.inputs.items()}
    return _engine(recipe.engine).shape(recipe, sizes)


def _size(job: Job, item: Item) -> tuple[int, int]:
    """Height and width of an item's image after the slice's protocol."""
    operation = job.slice.operations.get(item.row_id)
    return (operation.size,) * 2 if isinstance(operation, Operation) else (item.height, item.width)


def view_sizes(job: Job, items: Iterable[Item]) -> list[tuple[int, int]]:
    """Height and width of what a job's engine makes of each item's image, roughly."""
    side = job.recipe.params.get("size", 0)

    @cache
    def view(size: tuple[int, int]) -> tuple[int, int]:
        shape = _shape(job.recipe, size)
        return shape if all(shape) else (side, side) if side else size

    return [view(_size(job, item)) for item in items]


def chunks(job: Job) -> list[list[Item]]:
    """The slice's distinct readable images in groups of at most :data:`CHUNK`, a function of recipe and images alone.

    Images with views of one shape are neighbours, and chunks end where a batch ends, so that few batches remain
    incomplete: on ImageNet's sizes, chunks cut by the size of the file need about three times as many.
    """
    recipe, distinct = job.recipe, {item.image_id: item for item in reversed(job.usable)}
    if recipe.engine in PRESENTED:
        keyed = sorted(((item.height, item.width), identity) for identity, item in distinct.items())
        return [[distinct[i] for _, i in keyed[at : at + CHUNK]] for at in range(0, len(keyed), CHUNK)]
    shape = cache(lambda size: _shape(recipe, size))
    keyed = sorted((shape(_size(job, item)), identity) for identity, item in distinct.items())
    batch, made = min(_engine(recipe.engine).batch, CHUNK), list[list[Item]]()
    for _, group in groupby(keyed, key=lambda pair: pair[0]):
        members = [distinct[identity] for _, identity in group]
        for start in range(0, len(members), batch):
            piece = members[start : start + batch]
            if not made or len(made[-1]) + len(piece) > CHUNK:
                made.append([])
            made[-1] += piece
    return made


def missing_chunks(
    members: Sequence[Sequence[Item]], recipe: Recipe, store: Store, claimed: set[str]
) -> list[tuple[int, frozenset[str]]]:
    """The number of every chunk with missing artefacts, and the ids of its images whose artefacts are not missing.

    ``members`` are the chunks of a job. Images in ``claimed`` are made by other units of the same recipe and do not
    count as missing; this job's missing images are added to it. A chunk is always computed as a whole, so that its
    batches never change, and only the missing artefacts are kept.
    """
    incomplete = []
    everything = {item.image_id for chunk in members for item in chunk}
    absent = set(store.missing(recipe, everything)) - claimed
    for number, chunk in enumerate(members):
        identities = {item.image_id for item in chunk}
        if not identities.isdisjoint(absent):
            incomplete.append((number, frozenset(identities - absent)))
    claimed |= absent
    return incomplete
