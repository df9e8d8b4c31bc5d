"""Reconstructions that somebody else has made, taken into a store under a recipe that they are said to follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import discover
from bench.artefacts.encoding import to_bytes
from bench.artefacts.origin import mark_unverified
from bench.artefacts.store import Store
from bench.data.files import list_images, printable
from bench.data.index import Index
from bench.detector import STAGES, Method
from bench.errors import UserError, unknown
from bench.planning.chunks import view_sizes
from bench.predict.user_artefacts import UNREADABLE, value_of
from bench.progress import Progress
from bench.recipe import IMAGE, SOURCE, Recipe
from bench.types import OK, Item, Job, Slice

_CHUNK = 64


@dataclass
class Adopted:
    """What became of a folder: how many artefacts were added and were there before, and why files were left out."""

    added: int = 0
    present: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def declared(method: Method, name: str) -> Recipe:
    """The recipe of a method's artefact ``name`` for images as they are. Raises UserError if it has none."""
    needs = {n: recipe for stage in STAGES for n, recipe in method.needs(stage).items()}
    direct = {n: recipe for n, recipe in needs.items() if recipe.inputs.get("image") == IMAGE}
    if not direct:
        raise UserError(
            f"{method.card.title} uses no artefacts of images.",
            "There is nothing that ready-made files could stand in for.",
            "Choose a method that reconstructs images, for example dire or drct.",
        )
    if name not in direct:
        raise unknown(f"artefact of images that {method.card.title} needs", name, direct)
    return direct[name].bind(SOURCE)


def matched(folder: Path, originals: Path) -> tuple[list[tuple[Path, Path]], Adopted]:
    """The files of a folder with their originals, at the same relative paths; suffixes may differ.

    Files without exactly one original are left out, with the reason. Raises UserError if no file has an original.
    """
    result = Adopted()
    pairs = list(_pairs(folder, originals, result))
    if not pairs:
        raise UserError(
            f"No file in {folder} belongs to an image in {originals}.",
            f"{len(result.left_out)} files were compared, by their paths inside the folders without suffixes.",
            "Name the two folders so that a file and its original have the same path below them.",
        )
    return pairs, result


def adopt(
    store: Store,
    recipe: Recipe,
    pairs: Sequence[tuple[Path, Path]],
    result: Adopted,
    origin: str,
    progress: Progress,
) -> None:
    """Take :func:`matched` files into the store, each as the artefact of its original; ``result`` counts them.

    ``recipe`` is resolved, with the weights and numerics of the runs that shall read it. A file that cannot be read,
    or has not the size that the recipe gives, is left out. The store marks the recipe as containing artefacts of this
    ``origin`` that nobody has verified.
    """
    payload = discover.engine(recipe.engine).payload
    facts = Index(store.root / "index").scan([original for _, original in pairs], progress)
    items = [
        (file, Item(str(original), original, None, **fact)) for (file, original), fact in zip(pairs, facts, strict=True)
    ]
    title = f"{recipe.engine} artefacts adopted"
    with progress.stage(title, len(items)) as stage, store.writer(recipe, payload) as writer:
        for start in range(0, len(items), _CHUNK):
            part = items[start : start + _CHUNK]
            records = _records(store, recipe, part, result)
            if records:
                mark_unverified(store, recipe, len(records), origin)  # Before they can be read.
                writer.put(records)
            result.added += len(records)
            progress.advance(stage, len(part))


def _pairs(folder: Path, originals: Path, result: Adopted) -> Iterator[tuple[Path, Path]]:
    """(file, original) by their relative paths without suffixes; others are left out with the reason."""
    by_stem: dict[Path, list[Path]] = {}
    for path in list_images(originals).files:
        by_stem.setdefault(path.relative_to(originals).with_suffix(""), []).append(path)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        found = by_stem.get(file.relative_to(folder).with_suffix(""), [])
        if len(found) == 1:
            yield file, found[0]
        else:
            reason = f"{len(found)} originals have its path" if found else "there is no original with its path"
            result.left_out[printable(file)] = reason


def _records(store: Store, recipe: Recipe, pairs: Sequence[tuple[Path, Item]], result: Adopted) -> dict[str, bytes]:
    """The artefacts of some files that the store lacks, by image id."""
    readable = [item.image_id for _, item in pairs if item.status == OK]
    missing, records = set(store.missing(recipe, readable)), dict[str, bytes]()
    for file, item in pairs:
        if item.status != OK:
            result.left_out[printable(file)] = f"its original cannot be read: {item.reason}"
        elif item.image_id not in missing or item.image_id in records:
            result.present += 1
        else:
            try:
                records[item.image_id] = _record(recipe, file, item)
            except UNREADABLE as error:
                result.left_out[printable(file)] = f"{getattr(error, 'problem', error)}"
    return records


def _record(recipe: Recipe, file: Path, item: Item) -> bytes:
    """An artefact as the store holds it. Raises ValueError if it has not the size that the engine gives it."""
    payload = discover.engine(recipe.engine).payload
    value = value_of(file, payload)
    if payload == "png":
        (expected,) = view_sizes(Job(recipe, Slice("", "", "test", (item,))), [item])
        if value.rgb.shape[:2] != expected:
            (height, width), wanted = value.rgb.shape[:2], f"{expected[1]} x {expected[0]}"
            raise ValueError(f"it has {width} x {height} pixels, and the recipe gives this image {wanted}")
        return to_bytes(payload, value.rgb)
    return to_bytes(payload, value)
