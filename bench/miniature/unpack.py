"""Unpack the committed image packs into the layouts of the datasets, once per version; generated images become PNG."""

from __future__ import annotations

import io
import json
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bench.data.classes import FILES, NAMES
from bench.models.embedded import build_atomically, version
from bench.progress import Progress

PACKS = Path(__file__).parent / "images"
#: GenImage's two class tables, in one compressed JSON object.
CLASSES = PACKS / "genimage-classes.json.xz"
#: Must be increased if the same packs are unpacked into other files.
_FORM = 2


def packs() -> list[Path]:
    """The committed packs, ``<dataset>-<subset>.zip``."""
    return sorted(PACKS.glob("*.zip"))


def _members(pack: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """Name and content of a pack's files in the dataset's layout.

    Packs store generated images as lossless WebP and edited photographs as JPEG; both become PNG.
    """
    for name in pack.namelist():
        data = pack.read(name)
        if name.endswith((".webp", ".png.jpg")):
            buffer = io.BytesIO()
            Image.open(io.BytesIO(data)).convert("RGB").save(buffer, "PNG", compress_level=6)
            name, data = name.removesuffix(".webp").removesuffix(".png.jpg") + ".png", buffer.getvalue()
        yield name, data


def _write_classes(folder: Path) -> None:
    """Write the class tables that complete GenImage's file names, as :mod:`bench.data.classes` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = json.loads(lzma.decompress(CLASSES.read_bytes()))
    for name in (NAMES, FILES):
        (folder / name).write_text(json.dumps(tables[name], indent=0) + "\n", encoding="utf-8")


def unpack(store: Path, progress: Progress) -> Path:
    """The folder below ``store`` with one sub-folder per dataset, unpacked if it does not exist."""

    def fill(partial: Path) -> None:
        with progress.stage("unpacking the miniature world", len(packs())) as stage:
            for path in packs():
                with zipfile.ZipFile(path) as pack:
                    for name, data in _members(pack):
                        target = partial / path.stem.split("-")[0] / name
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(data)
                progress.advance(stage)
        _write_classes(partial / "genimage")

    return build_atomically(store / "miniature" / f"{version(PACKS, packs())}-{_FORM}", fill)
