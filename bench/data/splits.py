"""From folders to slices: the train and validation split, nested draws, and the exclusion of shared images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from bench.data.classes import Classes
from bench.data.dataset import Dataset, Folders, Split
from bench.data.files import Listing, has_image, list_images, printable
from bench.data.index import Index
from bench.errors import UserError
from bench.progress import Progress
from bench.recipe import content_key
from bench.types import FAKE, OK, REAL, Item, Slice

#: Seed of the 90/10 split; fixed, so that no run trains on another run's validation images.
SPLIT_SEED = 0
VALIDATION_SHARE = 0.1
_CLASS_NAMES = {REAL: "real", FAKE: "fake"}


@dataclass(frozen=True)
class Limits:
    """Number of images per class and subset; None takes all. ``seed`` orders the draw, so smaller draws nest."""

    train: int | None
    test: int | None
    seed: int = 0


def rank(seed: int, identity: str) -> str:
    """The sort key of an image in a seeded order: H(seed, id)."""
    return hashlib.sha256(f"{seed} {identity}".encode()).hexdigest()


def missing_class(dataset: Dataset, subset: str, folders: Folders, split: Split) -> UserError | None:
    """The error for a split without image files of one class, or None; decodes no image."""
    for label, name in _CLASS_NAMES.items():
        paths = folders.get(split, {}).get(label, ())
        if not any(has_image(path) for path in paths):
            searched = ", ".join(str(path) for path in paths) or "no folder"
            return UserError(
                f"The {split} split of {dataset.name}:{subset} has no {name} images.",
                f"Looked in: {searched}.",
                f"Put {name} images there; the layout is {dataset.layout()}.",
            )
    return None


def check_classes(dataset: Dataset, subset: str, folders: Folders, split: Split) -> None:
    """Raise UserError unless the split has at least one image file of each class; decodes no image."""
    error = missing_class(dataset, subset, folders, split)
    if error is not None:
        raise error


@dataclass(frozen=True)
class Pool:
    """All images of a split with their facts, unreadable ones included, and the number of skipped entries by kind."""

    items: list[Item]
    passed: Mapping[str, int]


def pool(dataset: Dataset, root: Path, folders: Folders, split: Split, index: Index, progress: Progress) -> Pool:
    """List and scan the images of a split."""
    listings = [(label, list_images(folder)) for label, paths in folders.get(split, {}).items() for folder in paths]
    passed = reduce(Listing.joined, (listing for _, listing in listings), Listing(())).passed
    paths = [(path, label) for label, listing in listings for path in listing.files]
    facts, classes = index.scan([path for path, _ in paths], progress), Classes.beside(root)
    items = []
    for (path, label), fact in zip(paths, facts, strict=True):
        inside = _inside(path, root)
        class_name = classes.shown(dataset.class_name(path), inside)
        items.append(Item(content_key([dataset.name, inside]), path, label, class_name=class_name, **fact))
    return Pool(items, passed)


def _inside(path: Path, root: Path) -> str:
    """The path of a file relative to ``root``, with slashes."""
    prefix = f"{root}{os.sep}"
    text = str(path)
    inside = text[len(prefix) :] if text.startswith(prefix) else path.relative_to(root).as_posix()
    return inside.replace(os.sep, "/")


def contradictions(pools: Iterable[Sequence[Item]], names: tuple[str, str] = ("real", "fake")) -> dict[str, str]:
    """Images listed with both labels: a reason that names the two files, by image_id.

    ``names`` are the names of labels 0 and 1.
    """
    first: dict[str, Item] = {}
    both: dict[str, dict[int, str]] = {}
    for items in pools:
        for item in items:
            if item.image_id and item.label is not None:
                other = first.setdefault(item.image_id, item)
                if other.label is not None and other.label != item.label and item.image_id not in both:
                    both[item.image_id] = {i.label: printable(i.path) for i in (other, item) if i.label is not None}
    return {
        image: f"listed as {names[0]} ({paths[REAL]}) and as {names[1]} ({paths[FAKE]})"
        for image, paths in both.items()
    }


def without_contradictions(items: Iterable[Item], reasons: Mapping[str, str]) -> list[Item]:
    """The items, with every image in ``reasons`` (see :func:`contradictions`) quarantined."""
    return [
        replace(item, status="contradiction", reason=reasons[item.image_id])
        if item.status == OK and item.image_id in reasons
        else item
        for item in items
    ]


def _draw(pool: Iterable[Item], seed: int, limit: int | None) -> list[Item]:
    ordered = sorted(pool, key=lambda item: (rank(seed, item.content), item.row_id))
    return ordered if limit is None else ordered[:limit]


def _by_class(pool: Sequence[Item], seed: int, limit: int | None) -> tuple[Item, ...]:
    drawn = [item for label in (REAL, FAKE) for item in _draw((i for i in pool if i.label == label), seed, limit)]
    return tuple(sorted(drawn, key=lambda item: (item.content, item.label, item.row_id)))


def test_slice(dataset: str, subset: str, pool: Sequence[Item], limits: Limits) -> Slice:
    """The slice with role ``test``, from a dataset's own test folder."""
    return Slice(dataset, subset, "test", _by_class(pool, limits.seed, limits.test))


def train_slices(dataset: str, subset: str, pool: Sequence[Item], limits: Limits) -> tuple[Slice, Slice]:
    """The slices with roles ``train`` and ``val``: a seeded 90/10 split of each class, by image content.

    Copies of an image are in the same slice. With a limit of N, the validation slice has at most N / 9 images per
    class, rounded up.
    """
    train: list[Item] = []
    val: list[Item] = []
    for label in (REAL, FAKE):
        members = [item for item in pool if item.label == label]
        contents = sorted({i.content for i in members}, key=lambda content: rank(SPLIT_SEED, content))
        val_contents = set(contents[: max(1, round(VALIDATION_SHARE * len(contents)))])
        val += [item for item in members if item.content in val_contents]
        train += [item for item in members if item.content not in val_contents]
    val_limit = None if limits.train is None else -(-limits.train // 9)
    return (
        Slice(dataset, subset, "train", _by_class(train, limits.seed, limits.train)),
        Slice(dataset, subset, "val", _by_class(val, limits.seed, val_limit)),
    )


def without_test_images(slice_: Slice, tests: Mapping[str, str]) -> Slice:
    """The slice, with every image quarantined that is also in a test slice.

    ``tests`` maps the image_id of a test image to the name of its slice.
    """
    items = tuple(
        replace(item, status="leak", reason=f"also in {tests[item.image_id]}")
        if item.status == OK and item.image_id in tests
        else item
        for item in slice_.items
    )
    return replace(slice_, items=items)
