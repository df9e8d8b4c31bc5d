"""An index of the facts about every image file scanned so far, so that a second scan opens no file again.

It has one JSON line per file, appended during the scan: an interrupted scan loses at most its last line. A file counts
as unchanged while its size and modification time are the same.
"""

from __future__ import annotations

import json
import os
import sys
import weakref
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.data.copies import perceptual_hash
from bench.data.decode import DECODE_VERSION, decode, file_id, image_id, noting, read
from bench.data.files import printable
from bench.errors import ImageError
from bench.progress import Progress

Facts = dict[str, Any]
#: Bits for the length of a line: it has a path and a reason, so it is much shorter than this allows.
_LENGTH_BITS = 24
#: Increased when a scan gives other facts or lists other files; DECODE_VERSION covers pixels and their ids.
_FACTS_VERSION = 4


def examine(path: Path) -> Facts:
    """Read and decode one file: ids, perceptual hash, container, quality, size in pixels and bytes, status, reason."""
    facts: Facts = {
        "image_id": "",
        "container": "",
        "quality": 0,
        "width": 0,
        "height": 0,
        "perceptual": "",
        "status": "ok",
        "reason": "",
    }
    try:
        data = read(path)
    except ImageError as error:
        return facts | {"file_id": "", "bytes": 0, "status": "unreadable", "reason": error.problem}
    facts |= {"file_id": file_id(data), "bytes": len(data)}
    try:
        decoded = decode(data)
    except ImageError as error:
        return facts | {"status": "unreadable", "reason": error.problem}
    height, width = decoded.rgb.shape[:2]
    pixels = {"image_id": image_id(decoded.rgb), "perceptual": perceptual_hash(decoded.rgb)}
    pixels |= {"width": width, "height": height}
    return facts | pixels | {"container": decoded.container, "quality": decoded.quality}


class Index:
    """Facts by path, kept in ``folder/files-<versions>.jsonl``."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / f"files-{DECODE_VERSION}.{_FACTS_VERSION}.jsonl"
        # Where in the file what stands after a path begins, and its length, in one number; and its stamp's hash.
        self._places: dict[str, tuple[int, int]] = {}
        self._new: dict[str, str] = {}  # The same text of files that were scanned since.
        self._old = -1  # Descriptor of the file as it was at the start; mapped, its pages would count as memory.
        if self.file.exists() and self.file.stat().st_size:
            self._load()

    def _load(self) -> None:
        decoder, at = json.JSONDecoder(), 0
        self._old = os.open(self.file, os.O_RDONLY)
        weakref.finalize(self, os.close, self._old)
        with self.file.open("rb") as lines:
            for data in lines:
                line = data.decode("utf-8", "replace")
                # The last line of a killed scan is cut off, and the next scan may have added to it.
                if line.startswith('["') and line.endswith("}]\n") and line.count('["') == 1:
                    path, end = decoder.raw_decode(line, 1)
                    length = len(line[end:].encode())
                    place = (at + len(data) - length) << _LENGTH_BITS | length
                    self._places[path] = place, hash(line[end : line.index("{", end)])
                at += len(data)

    def _text_of(self, name: str) -> str:
        """What stands after a path: stamp and facts; empty if it is unknown."""
        if name in self._new or name not in self._places:
            return self._new.get(name, "")
        place = self._places[name][0]
        return os.pread(self._old, place & (1 << _LENGTH_BITS) - 1, place >> _LENGTH_BITS).decode()

    def _is_current(self, name: str, stamp: str) -> bool:
        if name in self._new:
            return self._new[name].startswith(stamp)
        return name in self._places and self._places[name][1] == hash(stamp)

    def scan(self, paths: Sequence[Path], progress: Progress) -> Iterator[Facts]:
        """The facts of every path, in order; opens only new and changed files, before this returns."""
        names = list(map(str, paths))  # A path is slow as a key.
        absent, stale = _text([]), dict[str, str]()
        for name in dict.fromkeys(names):
            stamp = _text(_stamp(name))
            if stamp == absent or not self._is_current(name, stamp):
                stale[name] = stamp
        if stale:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with progress.stage("reading images", len(stale)) as stage, self.file.open("a", encoding="utf-8") as file:
                for name, (facts, notes) in zip(stale, _examine_all([Path(name) for name in stale]), strict=True):
                    for note in notes:
                        progress.warn(f"{printable(Path(name))}: {note}")
                    self._new[name] = f"{stale[name]}{json.dumps(facts)}]\n"
                    file.write(f"[{json.dumps(name)}{self._new[name]}")
                    progress.advance(stage)
        return (_facts(self._text_of(name)) for name in names)


def _facts(text: str) -> Facts:
    """The facts behind a stamp; the few words that recur in them are one object each."""
    facts: Facts = json.loads(text[text.index("{") : -2])
    for name in ("container", "status", "reason"):
        facts[name] = sys.intern(facts[name])
    return facts


def _text(stamp: list[int]) -> str:
    """A stamp as it stands between path and facts, in the words of :func:`json.dumps`."""
    return f", {json.dumps(stamp)}, "


def _stamp(name: str) -> list[int]:
    try:
        status = os.stat(name)  # noqa: PTH116 - half of the time goes into making a path
    except OSError:  # A broken link, or a folder without the permission to enter it.
        return []
    return [status.st_size, status.st_mtime_ns]


def _noted(path: Path) -> tuple[Facts, list[str]]:
    with noting() as notes:
        return examine(path), notes


def _examine_all(paths: Sequence[Path]) -> Iterable[tuple[Facts, list[str]]]:
    # Threads, because decoding and hashing release the GIL. Batches limit the pending results in memory.
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), 4096):
            yield from pool.map(_noted, paths[start : start + 4096])
