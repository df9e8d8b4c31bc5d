"""From folders to slices: the train and validation split, nested draws, and the exclusion of shared images.

Images are drawn by their file names, before any is read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from bench.data.classes import Classes
from bench.data.copies import copies
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
    """The image files of a split, not read yet, and the number of skipped entries by kind."""

    items: list[Item]
    passed: Mapping[str, int]


def pool(dataset: Dataset, root: Path, folders: Folders, split: Split) -> Pool:
    """List the images of a split."""
    listings = [(label, list_images(folder)) for label, paths in folders.get(split, {}).items() for folder in paths]
    passed = reduce(Listing.joined, (listing for _, listing in listings), Listing(())).passed
    classes = Classes.beside(root)
    items = []
    for path, label in [(path, label) for label, listing in listings for path in listing.files]:
        inside = _inside(path, root)
        class_name = classes.shown(dataset.class_name(path), inside)
        items.append(Item(content_key([dataset.name, inside]), path, label, class_name=class_name))
    return Pool(items, passed)


def read(items: Iterable[Item], index: Index, progress: Progress) -> list[Item]:
    """The items with the facts of their files."""
    members = list(items)
    facts = index.scan([item.path for item in members], progress)
    return [  # As by replace, which takes longer.
        Item(item.row_id, item.path, item.label, class_name=item.class_name, **fact)
        for item, fact in zip(members, facts, strict=True)
    ]


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


def _by_name(items: Iterable[Item], label: int, seed: int) -> list[Item]:
    """The images of a class in a seeded order of their file names; of equal names, by their paths.

    Folders do not count: copies of a dataset in different layouts have one order.
    """
    members = (item for item in items if item.label == label)
    return sorted(members, key=lambda item: (rank(seed, item.path.name), item.row_id))


def drawn(items: Iterable[Item], seed: int, limit: int | None) -> list[Item]:
    """The first images of each class in a seeded order of their file names; None takes all.

    The order needs no image to be read, so a small draw from a large dataset reads few. Smaller draws nest.
    """
    members = list(items)
    if limit is None:  # Then their order has no effect.
        return [item for label in (REAL, FAKE) for item in members if item.label == label]
    return [item for label in (REAL, FAKE) for item in _by_name(members, label, seed)[:limit]]


def in_order(items: Iterable[Item]) -> tuple[Item, ...]:
    """Read items in the order of their content, which does not depend on file names."""
    return tuple(sorted(items, key=lambda item: (item.content, item.label, item.row_id)))


def divided(items: Sequence[Item], limits: Limits) -> tuple[list[Item], list[Item]]:
    """Training and validation images of a subset: a seeded 90/10 split of each class by name, then a draw from each.

    With a limit of N, there are at most N / 9 validation images per class, rounded up.
    """
    held: set[str] = set()
    for label in (REAL, FAKE):
        ordered = _by_name(items, label, SPLIT_SEED)
        held |= {item.row_id for item in ordered[: max(1, round(VALIDATION_SHARE * len(ordered)))]}
    val_limit = None if limits.train is None else -(-limits.train // 9)
    return (
        drawn((item for item in items if item.row_id not in held), limits.seed, limits.train),
        drawn((item for item in items if item.row_id in held), limits.seed, val_limit),
    )


def _described(near: Mapping[str, str], others: Iterable[Slice]) -> dict[str, str]:
    """The originals of copies, both by row_id, as ``path in slice``."""
    wanted = set(near.values())
    found = {
        i.row_id: f"{printable(i.path)} in {other.name}" for other in others for i in other.usable if i.row_id in wanted
    }
    return {row: found[original] for row, original in near.items()}


def without_copies(slice_: Slice, others: Iterable[Slice], same_label: bool = False) -> Slice:
    """The slice, with every image quarantined that is also in one of ``others``, as it is, encoded again or resized.

    Images are the same if their pixels are, and copies if their perceptual hashes are near (:mod:`bench.data.copies`).
    With ``same_label`` only those of one class are copies: where each fake is made from a photograph of the folder, the
    two may be in different parts.
    """
    same: dict[str, str] = {}
    hashes: dict[int | None, dict[str, str]] = {}
    known = list(others)
    for other in known:
        for item in other.usable:
            same.setdefault(item.image_id, other.name)
            if item.perceptual:
                hashes.setdefault(item.label if same_label else None, {})[item.row_id] = item.perceptual
    reasons: dict[str, str] = {}
    for label, theirs in hashes.items():
        ours = (i for i in slice_.usable if i.perceptual and (not same_label or i.label == label))
        near = copies({item.row_id: item.perceptual for item in ours}, theirs)
        reasons |= {row: f"a copy of {name}" for row, name in _described(near, known).items()}
    reasons |= {i.row_id: f"also in {same[i.image_id]}" for i in slice_.usable if i.image_id in same}
    items = (
        replace(item, status="leak", reason=reasons[item.row_id]) if item.row_id in reasons else item
        for item in slice_.items
    )
    return replace(slice_, items=tuple(items))
