"""From folders to slices: the train and validation split, nested draws, and the guard against shared images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.data.classes import Classes
from bench.data.corpus import Corpus, Folders, Split, image_files
from bench.data.index import Index
from bench.errors import UserError
from bench.progress import Progress
from bench.recipe import content_key
from bench.types import FAKE, OK, REAL, Item, Slice

#: Seed of the 90/10 split; fixed, so that no run can see another run's validation images in training.
SPLIT_SEED = 0
VALIDATION_SHARE = 0.1
_CLASS_NAMES = {REAL: "real", FAKE: "fake"}


@dataclass(frozen=True)
class Limits:
    """How many images a class and subset; None takes all. ``seed`` orders the draw, so smaller draws nest."""

    train: int | None
    test: int | None
    seed: int = 0


def rank(seed: int, identity: str) -> str:
    """The place of an image in a seeded order: H(seed, id)."""
    return hashlib.sha256(f"{seed} {identity}".encode()).hexdigest()


def check_classes(corpus: Corpus, subset: str, folders: Folders, split: Split) -> None:
    """Raise UserError unless the split has at least one image file of each class; reads directory names only."""
    for label, name in _CLASS_NAMES.items():
        homes = folders.get(split, {}).get(label, ())
        if not any(image_files(home) for home in homes):
            place = ", ".join(str(home) for home in homes) or "no folder"
            raise UserError(
                f"The {split} split of {corpus.name}:{subset} has no {name} images.",
                f"Looked in: {place}.",
                f"Put {name} images there; the layout is {corpus.layout()}.",
            )


def items(corpus: Corpus, root: Path, folders: Folders, split: Split, index: Index, progress: Progress) -> list[Item]:
    """Every image of a split with its facts, unreadable ones included."""
    paths = [(path, label) for label, homes in folders[split].items() for home in homes for path in image_files(home)]
    facts, classes = index.scan([path for path, _ in paths], progress), Classes.beside(root)
    return [
        Item(
            row_id=content_key([corpus.name, path.relative_to(root).as_posix()]),
            path=path,
            label=label,
            klass=classes.shown(corpus.klass(path), path.relative_to(root)),
            **fact,
        )
        for (path, label), fact in zip(paths, facts, strict=True)
    ]


def _draw(pool: Iterable[Item], seed: int, limit: int | None) -> list[Item]:
    ordered = sorted(pool, key=lambda item: (rank(seed, item.content), item.row_id))
    return ordered if limit is None else ordered[:limit]


def _by_class(pool: Sequence[Item], seed: int, limit: int | None) -> tuple[Item, ...]:
    drawn = [item for label in (REAL, FAKE) for item in _draw((i for i in pool if i.label == label), seed, limit)]
    return tuple(sorted(drawn, key=lambda item: (item.content, item.label, item.row_id)))


def test_slice(corpus: str, subset: str, pool: Sequence[Item], limits: Limits) -> Slice:
    """The slice with role ``test``, from a data set's own test folder."""
    return Slice(corpus, subset, "test", _by_class(pool, limits.seed, limits.test))


def train_slices(corpus: str, subset: str, pool: Sequence[Item], limits: Limits) -> tuple[Slice, Slice]:
    """The slices with roles ``train`` and ``val``: a seeded 90/10 split of each class, by image content.

    Copies of an image fall on one side together. With a limit of N the validation slice keeps N / 9, rounded up.
    """
    train: list[Item] = []
    val: list[Item] = []
    for label in (REAL, FAKE):
        members = [item for item in pool if item.label == label]
        contents = sorted({i.content for i in members}, key=lambda content: rank(SPLIT_SEED, content))
        held = set(contents[: max(1, round(VALIDATION_SHARE * len(contents)))])
        val += [item for item in members if item.content in held]
        train += [item for item in members if item.content not in held]
    few = None if limits.train is None else -(-limits.train // 9)
    return (
        Slice(corpus, subset, "train", _by_class(train, limits.seed, limits.train)),
        Slice(corpus, subset, "val", _by_class(val, limits.seed, few)),
    )


def without_test_images(part: Slice, tests: Mapping[str, str]) -> Slice:
    """``part`` with every image quarantined that also stands in a test slice; ``tests`` maps image_id to its slice."""
    kept = tuple(
        replace(item, status="leak", reason=f"also in {tests[item.image_id]}")
        if item.status == OK and item.image_id in tests
        else item
        for item in part.items
    )
    return replace(part, items=kept)
