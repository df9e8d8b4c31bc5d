"""The artefact store: ``<root>/artefacts/<recipe key>/shard-<uuid>.tar`` with an index file for each shard.

A writer owns one shard and appends whole chunks to it: first the tar members, then their entries in the index
(:mod:`bench.artefacts.index`). Only records in the index exist, so a chunk that was cut off by a crash is made again.
When a shard is closed, it is renamed from ``.tar.part`` to ``.tar``, and its index likewise. Any number of writers on
any number of hosts need no lock; a record written by two of them is the same record twice. ``datasets`` can read the
shards as WebDataset. A writer whose shard has reached :data:`SHARD_BYTES` continues with a new one. A record that does
not match its checksum is dropped by a note in ``dropped-<uuid>.json`` and made again; the rest of its shard is kept.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import tarfile
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from bench.artefacts.index import ByteRange, Index, header, open_shard, pack
from bench.errors import BenchError
from bench.recipe import Recipe

#: Size at which a writer closes its shard and begins the next.
SHARD_BYTES = 2**30
#: Space on the disk that a writer leaves free.
RESERVE_BYTES = 2**26
_OPEN_SHARDS = 64


class MissingArtefact(BenchError):
    """An artefact is not in the store; ``key`` is its recipe's key and ``identity`` its image id."""

    def __init__(self, problem: str, context: str, fix: str, key: str, identity: str) -> None:
        super().__init__(problem, context, fix)
        self.key, self.identity = key, identity

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem, self.context, self.fix, self.key, self.identity)


class DamagedArtefact(MissingArtefact):
    """An artefact does not match its checksum; it has been dropped and can be made again."""


class DiskFull(BenchError):
    """The disk of the store has too little space left to write to it."""


def _checksum(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")


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
        with _told_if_full(self._folder, sum(map(len, records.values()))):
            return self._append(records)

    def _append(self, records: Mapping[str, bytes]) -> dict[str, ByteRange]:
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
        os.fsync(self._tar.fileno())  # Another host may read the records as soon as their entries are written.
        with (self._folder / f"{self._stem}.idx.part").open("ab") as index:
            index.write((b"" if index.tell() else header(self._suffix)) + pack(ranges.items()))
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
    """Artefacts by recipe key and image id. Indexes are kept in memory, and read again if a record is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._indexes: dict[str, Index] = {}
        self._shards: OrderedDict[Path, BinaryIO] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """A store in another process reads the disk itself."""
        return {"root": self.root}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A store on the same folder."""
        type(self).__init__(self, state["root"])

    def folder(self, key: str) -> Path:
        """The folder of a recipe's shards."""
        return self.root / "artefacts" / key

    def index(self, key: str, refresh: bool = False) -> Index:
        """The records of a recipe; ``refresh`` reads what other processes have added since the last look."""
        index = self._indexes.get(key)
        if index is None or refresh:
            index = index or Index(self.folder(key))
            index.refresh()
            self._indexes[key] = index
        return index

    def is_intact(self, key: str, span: ByteRange) -> bool:
        """Whether the bytes of a record of the recipe with this key match their checksum."""
        return _checksum(self._bytes(self.folder(key) / f"{span.shard}.tar", span)) == span.checksum

    def drop(self, key: str, identity: str, span: ByteRange) -> None:
        """Record on disk that a record is damaged, so that it is missing here and for all runs that read the disk."""
        partial = self.folder(key) / f"{uuid.uuid4().hex}.part"
        partial.write_text(json.dumps([identity, span.shard, span.offset]), encoding="ascii")
        partial.replace(partial.with_name(f"dropped-{partial.stem}.json"))
        self.index(key).drop(identity, span)

    def lock_path(self, recipe: Recipe, name: str) -> Path:
        """The path of the lock file of a chunk of a recipe, see :mod:`bench.execution.locks`."""
        return self.folder(recipe.key) / f"{name}.lock"

    def missing(self, recipe: Recipe, identities: Iterable[str], refresh: bool = False) -> list[str]:
        """The image ids in ``identities`` without an artefact of the recipe; ``refresh`` reads the disk again."""
        return self.index(recipe.key, refresh).absent(identities)

    def has(self, key: str, identity: str) -> bool:
        """Whether the recipe with this key has an artefact of an image; reads the disk again."""
        return self.index(key, refresh=True).find(identity) is not None

    def forget(self, error: MissingArtefact) -> None:
        """Clear the cached index of an artefact that another process has dropped, so that the disk is read again."""
        self._indexes.pop(error.key, None)

    def get(self, recipe: Recipe, identity: str) -> bytes:
        """The artefact's bytes. Raises MissingArtefact, or DamagedArtefact if they do not match their checksum."""
        return self.read(recipe, identity)[1]

    def read(self, recipe: Recipe, identity: str) -> tuple[str, bytes]:
        """The artefact's payload (``png``, ``txt`` …) and bytes. Raises the same errors as :meth:`get`."""
        span = self._span(recipe, identity)
        path = self.folder(recipe.key) / f"{span.shard}.tar"
        data = self._bytes(path, span)
        if _checksum(data) != span.checksum:
            self.drop(recipe.key, identity, span)
            raise DamagedArtefact(
                f"The {recipe.engine} artefact of image {identity} is damaged.",
                f"Its bytes in {path} do not match their checksum.",
                "It has been dropped. Rerun the same command to make it again.",
                recipe.key,
                identity,
            )
        return span.payload, data

    def size(self, recipe: Recipe, identity: str) -> int:
        """Number of bytes of an artefact, which is not read. Raises MissingArtefact."""
        return self._span(recipe, identity).length

    def _span(self, recipe: Recipe, identity: str) -> ByteRange:
        span = self.index(recipe.key).find(identity) or self.index(recipe.key, refresh=True).find(identity)
        if span is None:
            raise MissingArtefact(
                f"The store has no {recipe.engine} artefact for image {identity}.",
                f"Looked in {self.folder(recipe.key)}.",
                "Run `python run_bench.py prepare` with the same options first.",
                recipe.key,
                identity,
            )
        return span

    def _bytes(self, path: Path, span: ByteRange) -> bytes:
        """The bytes of a record, not checked; empty if its shard is gone. Shards stay open for the next record."""
        file = self._shards.get(path)
        if file is None:
            try:
                file = open_shard(path)
            except FileNotFoundError:
                return b""
            self._shards[path] = file
            while len(self._shards) > _OPEN_SHARDS:  # A thread that still reads from one keeps it open.
                self._shards.popitem(last=False)
        return os.pread(file.fileno(), span.length, span.offset)

    @contextmanager
    def writer(self, recipe: Recipe, suffix: str) -> Iterator[Writer]:
        """A writer of a new shard, which is sealed when the block ends. Chunks put before an exception are kept."""
        folder = self.folder(recipe.key)
        folder.mkdir(parents=True, exist_ok=True)
        _describe(folder, recipe)
        writer = Writer(folder, suffix)
        try:
            yield writer
        finally:
            writer.close()
            if recipe.key in self._indexes:
                self._indexes[recipe.key].refresh()


def _describe(folder: Path, recipe: Recipe) -> None:
    path = folder / "recipe.json"
    if not path.exists():
        partial = folder / f"recipe.{uuid.uuid4().hex}.part"
        partial.write_text(json.dumps(recipe.describe(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(path)


@contextmanager
def _told_if_full(folder: Path, size: int) -> Iterator[None]:
    """Raise DiskFull if writing ``size`` bytes to a folder fails for lack of space, or would leave no reserve."""
    free = shutil.disk_usage(folder).free
    try:
        if free < size + RESERVE_BYTES:
            raise OSError(errno.ENOSPC, "too little space")
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            f"The disk of {folder.parents[1]} is full.",
            f"{free / 2**20:.0f} MiB are free, and {size / 2**20:.1f} MiB were to be written; {RESERVE_BYTES >> 20} "
            "MiB are kept free. Everything that was finished is kept.",
            "Free some space (`store gc` lists what is no longer used) and run the same command again.",
        ) from error
