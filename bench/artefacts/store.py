"""The artefact store: ``<root>/artefacts/<recipe key>/shard-<uuid>.tar`` with an index file for each shard.

A writer owns one shard and appends whole chunks to it: first the tar members, then one line of the index. Only records
in the index exist, so a chunk that was cut off by a crash is made again. When a shard is closed, it is renamed from
``.tar.part`` to ``.tar``, and its index likewise. Any number of writers on any number of hosts need no lock; a record
written by two of them is the same record twice. ``datasets`` can read the shards as WebDataset. A writer whose shard
has reached :data:`SHARD_BYTES` continues with a new one. A record that does not match its checksum is dropped by a note
in ``dropped-<uuid>.json`` and made again; the rest of its shard is kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bench.errors import BenchError
from bench.recipe import Recipe

#: Size at which a writer closes its shard and begins the next.
SHARD_BYTES = 2**30


class MissingArtefact(BenchError):
    """An artefact is not in the store; ``key`` is its recipe's key and ``identity`` its image id."""

    def __init__(self, problem: str, context: str, fix: str, key: str, identity: str) -> None:
        super().__init__(problem, context, fix)
        self.key, self.identity = key, identity

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem, self.context, self.fix, self.key, self.identity)


class DamagedArtefact(MissingArtefact):
    """An artefact does not match its checksum; it has been dropped and can be made again."""


@dataclass(frozen=True)
class ByteRange:
    """The position of a record: its shard's stem, its payload, byte offset and length, and the hash of its bytes."""

    shard: str
    payload: str
    offset: int
    length: int
    checksum: str


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _member(name: str, data: bytes) -> bytes:
    """A tar member with fixed metadata, padded to whole blocks."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    padding = b"\0" * (-len(data) % tarfile.BLOCKSIZE)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + padding


class Writer:
    """Appends chunks to a shard; created by :meth:`Store.writer`."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self._suffix, self._folder = suffix, folder
        self._tar: BinaryIO | None = None

    def put(self, records: Mapping[str, bytes]) -> dict[str, ByteRange]:
        """Append one chunk. When this returns, all its records survive if the process is killed."""
        if self._tar is not None and self._tar.tell() >= SHARD_BYTES:
            self.close()
        if self._tar is None:
            self._stem = f"shard-{uuid.uuid4().hex}"
            self._tar = (self._folder / f"{self._stem}.tar.part").open("wb")
        start, body, ranges = self._tar.tell(), io.BytesIO(), {}
        for identity, data in records.items():
            checksum = _checksum(data)
            body.write(_member(f"{identity}.{self._suffix}", data))
            padded = len(data) + -len(data) % tarfile.BLOCKSIZE
            ranges[identity] = ByteRange(self._stem, self._suffix, start + body.tell() - padded, len(data), checksum)
        self._tar.write(body.getvalue())
        self._tar.flush()
        os.fsync(self._tar.fileno())  # Another host may read the records as soon as the index line is written.
        line = json.dumps([self._suffix, [[i, p.offset, p.length, p.checksum] for i, p in ranges.items()]])
        with (self._folder / f"{self._stem}.idx.part").open("a", encoding="ascii") as index:
            index.write(line + "\n")
        return ranges

    def close(self) -> None:
        """End the tar, and seal the shard and its index by renaming them; a shard without a whole chunk is deleted."""
        if self._tar is None:
            return
        file, self._tar = self._tar, None
        tar, index = (self._folder / f"{self._stem}.{kind}.part" for kind in ("tar", "idx"))
        if not index.exists():
            file.close()
            tar.unlink()
            return
        file.write(b"\0" * 2 * tarfile.BLOCKSIZE)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        for path in (tar, index):
            path.replace(path.with_suffix(""))


class Store:
    """Artefacts by recipe key and image id. Indexes are cached in memory, and read again if a record is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ranges: dict[str, dict[str, ByteRange]] = {}
        self._ends: dict[str, dict[str, int]] = {}

    def _folder(self, key: str) -> Path:
        return self.root / "artefacts" / key

    def _index(self, key: str) -> dict[str, ByteRange]:
        return self._ranges[key] if key in self._ranges else self._refresh(key)

    def _refresh(self, key: str) -> dict[str, ByteRange]:
        """The index of a recipe, updated with the records that other processes have added; no line is read twice."""
        ranges, ends = self._ranges.get(key, {}), self._ends.get(key, {})
        dropped = self._dropped(key)
        ranges = {i: span for i, span in ranges.items() if (i, span.shard, span.offset) not in dropped}
        for stem in sorted({path.name.split(".")[0] for path in self._folder(key).glob("shard-*.idx*")}):
            added, ends[stem] = _read_index(self._folder(key) / f"{stem}.idx", ends.get(stem, 0))
            ranges |= {i: span for i, span in added.items() if (i, span.shard, span.offset) not in dropped}
        self._ranges[key], self._ends[key] = ranges, ends  # Only after the loop, in which a file may vanish.
        return ranges

    def _dropped(self, key: str) -> set[tuple[str, str, int]]:
        """(image id, shard, offset) of the damaged records."""
        notes = self._folder(key).glob("dropped-*.json")
        return {tuple(json.loads(path.read_text(encoding="ascii"))) for path in notes}

    def _drop(self, recipe: Recipe, identity: str, span: ByteRange) -> None:
        """Record on disk that a record is damaged, so that it is missing here and for all runs that read the disk."""
        partial = self._folder(recipe.key) / f"{uuid.uuid4().hex}.part"
        partial.write_text(json.dumps([identity, span.shard, span.offset]), encoding="ascii")
        partial.replace(partial.with_name(f"dropped-{partial.stem}.json"))
        self._ranges.get(recipe.key, {}).pop(identity, None)

    def lock_path(self, recipe: Recipe, name: str) -> Path:
        """The path of the lock file of a chunk of a recipe, see :mod:`bench.execution.locks`."""
        return self._folder(recipe.key) / f"{name}.lock"

    def missing(self, recipe: Recipe, identities: Iterable[str], refresh: bool = False) -> list[str]:
        """The image ids in ``identities`` without an artefact of the recipe; ``refresh`` reads the disk again."""
        known = self._refresh(recipe.key) if refresh else self._index(recipe.key)
        return [identity for identity in identities if identity not in known]

    def has(self, key: str, identity: str) -> bool:
        """Whether the recipe with this key has an artefact of an image; reads the disk again."""
        return identity in self._refresh(key)

    def forget(self, error: MissingArtefact) -> None:
        """Clear the cached index of an artefact that another process has dropped, so that the disk is read again."""
        self._ranges.pop(error.key, None)
        self._ends.pop(error.key, None)

    def get(self, recipe: Recipe, identity: str) -> bytes:
        """The artefact's bytes. Raises MissingArtefact, or DamagedArtefact if they do not match their checksum."""
        return self.read(recipe, identity)[1]

    def read(self, recipe: Recipe, identity: str) -> tuple[str, bytes]:
        """The artefact's payload (``png``, ``txt`` …) and bytes. Raises the same errors as :meth:`get`."""
        span = self._index(recipe.key).get(identity) or self._refresh(recipe.key).get(identity)
        if span is None:
            raise MissingArtefact(
                f"The store has no {recipe.engine} artefact for image {identity}.",
                f"Looked in {self._folder(recipe.key)}.",
                "Run `python run_bench.py prepare` with the same options first.",
                recipe.key,
                identity,
            )
        path = self._folder(recipe.key) / f"{span.shard}.tar"
        try:
            with _open(path) as file:
                data = os.pread(file.fileno(), span.length, span.offset)
        except FileNotFoundError:
            data = b""
        if _checksum(data) != span.checksum:
            self._drop(recipe, identity, span)
            raise DamagedArtefact(
                f"The {recipe.engine} artefact of image {identity} is damaged.",
                f"Its bytes in {path} do not match their checksum.",
                "It has been dropped. Rerun the same command to make it again.",
                recipe.key,
                identity,
            )
        return span.payload, data

    @contextmanager
    def writer(self, recipe: Recipe, suffix: str) -> Iterator[Writer]:
        """A writer of a new shard, which is sealed when the block ends. Chunks put before an exception are kept."""
        folder = self._folder(recipe.key)
        folder.mkdir(parents=True, exist_ok=True)
        _describe(folder, recipe)
        writer = Writer(folder, suffix)
        try:
            yield writer
        finally:
            writer.close()
            self._ranges.pop(recipe.key, None)
            self._ends.pop(recipe.key, None)


def _describe(folder: Path, recipe: Recipe) -> None:
    path = folder / "recipe.json"
    if not path.exists():
        partial = folder / f"recipe.{uuid.uuid4().hex}.part"
        partial.write_text(json.dumps(recipe.describe(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(path)


def _open(path: Path) -> BinaryIO:
    """Open a sealed file, or its unsealed version if its writer has not sealed it yet."""
    for name in (path, path.with_name(path.name + ".part")):
        with suppress(FileNotFoundError):
            return name.open("rb")
    return path.open("rb")  # It was sealed between the two attempts.


def _read_index(path: Path, start: int) -> tuple[dict[str, ByteRange], int]:
    """The records in the lines of an index from byte ``start`` on, and the byte where the next line will begin."""
    stem = path.name.split(".")[0]
    ranges: dict[str, ByteRange] = {}
    with _open(path) as file:
        file.seek(start)
        data = file.read()
    complete = data[: data.rfind(b"\n") + 1]  # A line that is still being written is read next time.
    for line in complete.decode("ascii").splitlines():
        try:
            payload, chunk = json.loads(line)
        except ValueError:
            continue  # A chunk that was cut off by a crash: its records are made again.
        if isinstance(payload, str):  # Otherwise it is a line of the first format, which has no payload.
            ranges |= {identity: ByteRange(stem, payload, *span) for identity, *span in chunk}
    return ranges, start + len(complete)
