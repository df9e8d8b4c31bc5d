"""Look after a store: what is in it, whether it is intact, what is no longer used; copy recipes out of it and into it.

Nothing here is needed for a run. Deleting is safe beside a run of this version, which reads none of what is deleted.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bench.artefacts.encoding import KINDS
from bench.artefacts.origin import mark_unverified, unverified
from bench.artefacts.store import Store
from bench.errors import UserError
from bench.progress import Progress
from bench.recipe import Recipe

#: Seconds after which a file that its writer has not finished is taken for one of a killed run.
STALE_SECONDS = 24 * 3600
_CHUNK = 256
#: In an export: how many of its artefacts were taken from elsewhere, see :mod:`bench.artefacts.origin`.
_UNVERIFIED = "unverified.txt"
_ID = re.compile(r"[0-9a-f]{32}")


def recipes(store: Store) -> dict[str, Recipe]:
    """Every recipe with a folder in the store, by key."""
    files = sorted((store.root / "artefacts").glob("*/recipe.json"))
    return {file.parent.name: Recipe.read(json.loads(file.read_text(encoding="utf-8"))) for file in files}


def find(store: Store, name: str) -> Recipe:
    """The recipe whose key begins with ``name``. Raises UserError unless there is exactly one."""
    found = [recipe for key, recipe in recipes(store).items() if key.startswith(name)]
    if len(found) != 1:
        raise UserError(
            f"{len(found)} recipes have a key that begins with {name!r}.",
            f"The store {store.root} has {len(recipes(store))} recipes.",
            "`store stats` lists them with their keys.",
        )
    return found[0]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def stats(store: Store) -> list[dict[str, Any]]:
    """One entry per recipe, the largest first: its key and engine, and what it holds.

    ``unverified`` artefacts were taken from elsewhere, ``damaged`` ones have been dropped.
    """
    entries = []
    for key, recipe in recipes(store).items():
        folder = store.folder(key)
        entries.append(
            {
                "recipe": key,
                "engine": recipe.engine,
                "version": recipe.version,
                "artefacts": sum(1 for _ in store.index(key).records()),
                "shards": len(list(folder.glob("shard-*.tar*"))),
                "unverified": unverified(store, key),
                "damaged": len(list(folder.glob("dropped-*.json"))),
                "bytes": _size(folder),
            }
        )
    return sorted(entries, key=lambda entry: (-entry["bytes"], entry["recipe"]))


def verify(store: Store, progress: Progress, mend: bool = False) -> list[str]:
    """Read every artefact; returns a line for each that does not match its checksum.

    With ``mend`` these are dropped, so that the next run makes them again.
    """
    damaged = []
    known = recipes(store)
    with progress.stage("artefacts verified", sum(len(store.index(key)) for key in known)) as stage:
        for key, recipe in known.items():
            for identity, span in list(store.index(key).records()):
                if not store.is_intact(key, span):
                    damaged.append(f"{recipe.engine} artefact of image {identity} in {key}/{span.shard}.tar")
                    if mend:
                        store.drop(key, identity, span)
                progress.advance(stage)
    return damaged


@dataclass(frozen=True)
class Leftover:
    """Files that no run reads: ``paths`` to delete, and why."""

    reason: str
    paths: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """Their size on disk."""
        return sum(_size(path) if path.is_dir() else path.stat().st_size for path in self.paths)


def leftovers(store: Store, versions: Mapping[str, int]) -> list[Leftover]:
    """What ``store gc`` deletes; ``versions`` has the present version of every engine and protocol."""
    found = []
    outdated = set()
    for key, recipe in recipes(store).items():
        why = next((w for part in recipe.closure() if (w := _outdated(part, versions))), "")
        if why:
            outdated.add(key)
            found.append(Leftover(f"{recipe.engine}: {why}", (store.folder(key),)))
    for folder in sorted((store.root / "artefacts").glob("*")):
        if folder.name not in outdated:
            found += _of_killed_writers(folder)
    finished = [path.parent for path in sorted((store.root / "fits").glob("*/fit.json"))]
    states = tuple(folder / "state.pt" for folder in finished if (folder / "state.pt").exists())
    partial = tuple(path for path in sorted((store.root / "fits").glob("*/*.part")) if _is_stale(path))
    found += [Leftover("training state of finished fits", states)] if states else []
    return found + ([Leftover("unfinished files of killed fits", partial)] if partial else [])


def _outdated(recipe: Recipe, versions: Mapping[str, int]) -> str:
    """Why no run of this version reads a recipe's artefacts; empty if one may."""
    present = versions.get(recipe.engine, recipe.version)
    return "" if present == recipe.version else f"made by version {recipe.version}, the present one is {present}"


def _is_stale(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > STALE_SECONDS


def _of_killed_writers(folder: Path) -> list[Leftover]:
    """Unfinished files without a record; an unfinished shard with an index is read as it is."""
    partial = [path for path in sorted(folder.glob("*.part")) if _is_stale(path)]
    unreadable = [p for p in partial if not p.name.startswith("shard-")]
    unreadable += [p for p in partial if p.name.endswith(".tar.part") and not _index_beside(p)]
    return [Leftover("unfinished files of killed runs", tuple(unreadable))] if unreadable else []


def _index_beside(tar: Path) -> bool:
    stem = tar.name.split(".")[0]
    return any(tar.with_name(f"{stem}.idx{end}").exists() for end in ("", ".part"))


def delete(found: list[Leftover]) -> None:
    """Delete leftovers."""
    for leftover in found:
        for path in leftover.paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def export(store: Store, recipe: Recipe, folder: Path, progress: Progress) -> int:
    """Write a recipe's artefacts as WebDataset shards into a folder, with ``recipe.json``; returns their number.

    Members are named ``<image id>.<payload>``; ``checksums.txt`` is in the format of ``sha256sum``. Raises
    DamagedArtefact, and then leaves the folder empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = Store(folder / ".partial")
    try:
        count = _copy(store, target, recipe, progress)
        shards = sorted(target.folder(recipe.key).glob("shard-*.tar"))
        places = [s.replace(folder / f"{recipe.engine}-{number:05d}.tar") for number, s in enumerate(shards)]
    finally:
        shutil.rmtree(target.root, ignore_errors=True)  # A damaged artefact ends the export: it can be begun again.
    lines = [f"{_sha256(place)}  {place.name}\n" for place in places]
    (folder / "checksums.txt").write_text("".join(lines), encoding="ascii")
    (folder / "recipe.json").write_text(json.dumps(recipe.describe(), indent=2, sort_keys=True) + "\n", "utf-8")
    if strange := unverified(store, recipe.key):
        (folder / _UNVERIFIED).write_text(f"{strange}\n", "ascii")
    return count


def _copy(store: Store, target: Store, recipe: Recipe, progress: Progress) -> int:
    """Copy a recipe's artefacts into another store; returns their number. Raises DamagedArtefact."""
    records = [identity for identity, _ in store.index(recipe.key).records()]
    payload = store.read(recipe, records[0])[0] if records else "png"
    title = f"{recipe.engine} artefacts exported"
    with progress.stage(title, len(records)) as stage, target.writer(recipe, payload) as writer:
        for start in range(0, len(records), _CHUNK):
            part = {identity: store.get(recipe, identity) for identity in records[start : start + _CHUNK]}
            writer.put(part)
            progress.advance(stage, len(part))
    return len(records)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _members(tar: Path, recipe: Recipe) -> Iterator[tuple[str, str, bytes]]:
    """(image id, payload, bytes) of every member of a shard."""
    with tarfile.open(tar) as archive:
        for member in archive:
            identity, _, payload = member.name.partition(".")
            file = archive.extractfile(member) if member.isfile() else None
            if file is None or not _ID.fullmatch(identity) or payload not in KINDS:
                raise UserError(
                    f"{tar} has a member {member.name!r} that is not an artefact.",
                    f"Artefacts of {recipe.engine} are files named `<image id>.<payload>`.",
                    "Import a folder that `store export` has written.",
                )
            yield identity, payload, file.read()


def import_(store: Store, folder: Path, progress: Progress) -> tuple[Recipe, int]:
    """Add what :func:`export` wrote to a store; returns the recipe and how many artefacts were not there yet.

    Raises UserError if the folder is not such a folder, or a shard does not match its checksum.
    """
    try:
        recipe = Recipe.read(json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
        listed = [line.split() for line in (folder / "checksums.txt").read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} is not an export of a store.",
            f"It needs recipe.json and checksums.txt: {type(error).__name__}: {error}.",
            "Name a folder that `store export` has written.",
        ) from error
    for checksum, name in listed:
        place = folder / Path(name).name
        if not place.is_file() or _sha256(place) != checksum:
            why = "It does not match checksums.txt." if place.is_file() else "checksums.txt lists it."
            what = "damaged" if place.is_file() else "missing"
            raise UserError(f"{place} is {what}.", why, "Copy or export it again.")
    count = 0
    with progress.stage(f"shards of {recipe.engine} imported", len(listed)) as stage:
        for _, name in listed:
            count += _add(store, recipe, folder / Path(name).name)
            progress.advance(stage)
    strange = int(note.read_text("ascii")) if (note := folder / _UNVERIFIED).is_file() else 0
    if strange and count:
        mark_unverified(store, recipe, min(strange, count), folder.name)
    return recipe, count


def _add(store: Store, recipe: Recipe, tar: Path) -> int:
    """Add the artefacts of one shard that a store lacks; returns their number."""
    count, members = 0, _members(tar, recipe)
    first = next(members, None)
    if first is None:
        return 0
    with store.writer(recipe, first[1]) as writer:
        rest = chain([first], members)
        while chunk := list(islice(rest, _CHUNK)):
            new = set(store.missing(recipe, [identity for identity, _, _ in chunk]))
            if new:
                writer.put({identity: data for identity, _, data in chunk if identity in new})
            count += len(new)
    return count
