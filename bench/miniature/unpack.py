"""Unpack the committed image packs into GenImage's folder layout, once; generated images become PNG."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bench.progress import Progress

PACKS = Path(__file__).parent / "images"


def packs() -> list[Path]:
    """The committed packs, ``<corpus>-<subset>.zip``."""
    return sorted(PACKS.glob("*.zip"))


def version() -> str:
    """A name for the packs' content."""
    digest = hashlib.sha256()
    for path in packs():
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _members(pack: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    for name in pack.namelist():
        data = pack.read(name)
        if name.endswith(".webp"):
            buffer = io.BytesIO()
            Image.open(io.BytesIO(data)).save(buffer, "PNG", compress_level=6)
            name, data = name.removesuffix(".webp") + ".png", buffer.getvalue()
        yield name, data


def unpack(store: Path, progress: Progress) -> Path:
    """The folder with one sub-folder a data set, below ``store``; made whole or not at all."""
    home = store / "miniature" / version()
    if home.is_dir():
        return home
    partial = home.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    with progress.stage("unpacking the miniature world", len(packs())):
        for path in packs():
            with zipfile.ZipFile(path) as pack:
                for name, data in _members(pack):
                    target = partial / path.stem.split("-")[0] / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)
            progress.advance()
    partial.replace(home)
    return home
