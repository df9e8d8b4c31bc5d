"""Where the records of a recipe are: one index file per shard, and all of them together in memory.

An index file is a header and one fixed-size entry per record (:data:`ENTRY`): 40 bytes, in the order of writing. In
memory the entries of all shards are one array, sorted by image id and searched by bisection: 48 bytes per record. A
file that ends in the middle of an entry, as after a crash, is read up to its last whole entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

#: One record: the image id (128 bits in two halves), the position of its bytes in the shard, their checksum. ``shard``
#: is used in memory only.
ENTRY = np.dtype(
    [("high", "<u8"), ("low", "<u8"), ("offset", "<u8"), ("length", "<u4"), ("shard", "<u4"), ("checksum", "<u8")]
)
_MAGIC = b"reconbench index 1 "
#: Records of other processes that are kept apart before they are sorted into the array.
_RECENT = 20_000


@dataclass(frozen=True)
class ByteRange:
    """The position of a record: its shard's stem, its payload, byte offset and length, and the hash of its bytes."""

    shard: str
    payload: str
    offset: int
    length: int
    checksum: int


def _halves(identity: str) -> tuple[int, int]:
    """An image id as two integers. Raises ValueError for what is not 32 hexadecimal digits."""
    number = int(identity, 16)
    if len(identity) != 32:
        raise ValueError(f"{identity!r} is not an image id: 32 hexadecimal digits.")
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF


def identity_of(entry: Any) -> str:  # noqa: ANN401 - numpy has no type for one entry
    """The image id of an entry."""
    return f"{int(entry['high']):016x}{int(entry['low']):016x}"


def header(payload: str) -> bytes:
    """The first bytes of an index file, which name the payload of its shard."""
    return (_MAGIC + payload.encode("ascii") + b"\n").ljust(ENTRY.itemsize, b"\0")


def pack(ranges: Iterable[tuple[str, ByteRange]]) -> bytes:
    """(image id, position) pairs as entries of an index file."""
    rows = [(*_halves(identity), span.offset, span.length, 0, span.checksum) for identity, span in ranges]
    return np.array(rows, ENTRY).tobytes()


def open_shard(path: Path) -> BinaryIO:
    """Open a sealed file, or its unsealed version if its writer has not sealed it yet."""
    for name in (path, path.with_name(path.name + ".part")):
        with suppress(FileNotFoundError):
            return name.open("rb", buffering=0)
    return path.open("rb", buffering=0)  # It was sealed between the two attempts.


@dataclass
class _File:
    """One index file as far as it has been read."""

    stem: str
    payload: str = ""
    end: int = 0

    def read(self, folder: Path) -> NDArray[Any]:
        """The entries that were added since the last call."""
        with open_shard(folder / f"{self.stem}.idx") as file:
            file.seek(self.end)
            data = file.read()
        if not self.end:
            if data[:1] == b"[":
                return self._lines(data)
            if len(data) < ENTRY.itemsize:
                return np.empty(0, ENTRY)  # Its writer is about to write the header, or was killed before.
            self.payload = data[len(_MAGIC) : ENTRY.itemsize].split(b"\n")[0].decode("ascii")
            data, self.end = data[ENTRY.itemsize :], ENTRY.itemsize
        whole = len(data) // ENTRY.itemsize * ENTRY.itemsize
        self.end += whole
        entries = np.frombuffer(data[:whole], ENTRY)
        return entries[entries["offset"] > 0]  # Every record has a tar header before it; zeros are a lost disk block.

    def _lines(self, data: bytes) -> NDArray[Any]:
        """The entries of a file in the format before this one: a JSON line per chunk; read as a whole, never again."""
        rows: list[tuple[int, ...]] = []
        for line in data[: data.rfind(b"\n") + 1].splitlines():
            with suppress(ValueError):  # A chunk that was cut off by a crash: its records are made again.
                payload, chunk = json.loads(line)
                if isinstance(payload, str):
                    self.payload = payload
                    rows += [(*_halves(i), offset, length, 0, int(check, 16)) for i, offset, length, check in chunk]
        self.end = -1
        return np.array(rows, ENTRY)


@dataclass
class Index:
    """The records in a recipe's folder. Records that other processes add are found by :meth:`refresh`."""

    folder: Path
    _files: list[_File] = field(default_factory=list)
    _entries: NDArray[Any] = field(default_factory=lambda: np.empty(0, ENTRY))
    _high: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    _recent: dict[str, list[Any]] = field(default_factory=dict)
    _dropped: frozenset[tuple[str, str, int]] = frozenset()
    _lock: Lock = field(default_factory=Lock)

    def refresh(self) -> None:
        """Read what was added to the folder since the last call; no entry is read twice."""
        with self._lock:  # Images are read by several threads.
            self._read_added()

    def _read_added(self) -> None:
        notes = self.folder.glob("dropped-*.json")
        self._dropped = frozenset(tuple(json.loads(path.read_text(encoding="ascii"))) for path in notes)
        known = {file.stem for file in self._files}
        stems = {path.name.split(".")[0] for path in self.folder.glob("shard-*.idx*")}
        self._files += [_File(stem) for stem in sorted(stems - known)]
        added = []
        for number, file in enumerate(self._files):
            with suppress(FileNotFoundError):  # Deleted by ``store gc``.
                entries = file.read(self.folder) if file.end >= 0 else ()
                if len(entries):
                    added.append(np.array(entries, ENTRY))
                    added[-1]["shard"] = number
        if added:
            self._add(np.concatenate(added))

    def _add(self, entries: NDArray[Any]) -> None:
        if len(entries) + len(self._recent) > _RECENT or not len(self._entries):
            recent = [np.array([row], ENTRY) for rows in self._recent.values() for row in rows]
            merged = np.concatenate([self._entries, *recent, entries])
            self._entries = merged[np.lexsort((merged["low"], merged["high"]))]
            self._high = np.ascontiguousarray(self._entries["high"])
            self._recent = {}
            return
        for entry in entries:
            self._recent.setdefault(identity_of(entry), []).append(entry)

    def find(self, identity: str) -> ByteRange | None:
        """The position of a record that has not been dropped; None if there is none."""
        return next((span for span in self._spans(identity) if not self._is_dropped(identity, span)), None)

    def _is_dropped(self, identity: str, span: ByteRange) -> bool:
        return bool(self._dropped) and (identity, span.shard, span.offset) in self._dropped

    def _spans(self, identity: str) -> Iterator[ByteRange]:
        try:
            high, low = _halves(identity)
        except ValueError:
            return
        at = int(self._high.searchsorted(np.uint64(high)))
        while at < len(self._high) and self._high[at] == high:
            if self._entries[at]["low"] == low:
                yield self._span(self._entries[at])
            at += 1
        for entry in self._recent.get(identity, ()):
            yield self._span(entry)

    def _span(self, entry: Any) -> ByteRange:  # noqa: ANN401 - numpy has no type for one entry
        _, _, offset, length, shard, checksum = entry.item()
        file = self._files[shard]
        return ByteRange(file.stem, file.payload, offset, length, checksum)

    def absent(self, identities: Iterable[str]) -> list[str]:
        """The image ids without a record."""
        wanted, dropped = list(identities), {identity for identity, _, _ in self._dropped}
        try:
            sorted_in = self._are_sorted_in(wanted)
        except ValueError:  # Some are not image ids.
            return [identity for identity in wanted if self.find(identity) is None]
        absent = [i for i, found in zip(wanted, sorted_in, strict=True) if not found or i in dropped]
        return [i for i in absent if self.find(i) is None] if self._recent or dropped else absent

    def _are_sorted_in(self, identities: Sequence[str]) -> Sequence[bool]:
        """Whether each image id is in the array: one search for all of them."""
        ids = np.frombuffer(bytes.fromhex("".join(identities)), ">u8").astype(np.uint64).reshape(-1, 2)
        if len(ids) != len(identities):
            raise ValueError("Not all are image ids.")
        if not len(self._high):
            return [False] * len(ids)
        at = np.minimum(self._high.searchsorted(ids[:, 0]), len(self._high) - 1)
        while True:
            same = self._high[at] == ids[:, 0]
            found = same & (self._entries["low"][at] == ids[:, 1])
            further = same & ~found & (at + 1 < len(self._high))  # Image ids with equal first halves.
            if not further.any():
                return list(found)
            at[further] += 1

    def drop(self, identity: str, span: ByteRange) -> None:
        """Forget a record that is damaged."""
        self._dropped |= {(identity, span.shard, span.offset)}

    def records(self) -> Iterator[tuple[str, ByteRange]]:
        """Every record once, in the order of the image ids; dropped ones and second copies are left out."""
        last = ""
        for entry in sorted((*self._entries, *(e for rows in self._recent.values() for e in rows)), key=identity_of):
            identity, span = identity_of(entry), self._span(entry)
            if identity != last and not self._is_dropped(identity, span):
                last = identity
                yield identity, span

    def __len__(self) -> int:
        """Number of entries, second copies included."""
        return len(self._entries) + sum(map(len, self._recent.values()))
