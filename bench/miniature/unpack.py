"""Unpack the committed image packs into the data sets' layouts, once a version; generated images become PNG."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bench.models.embedded import version, whole
from bench.progress import Progress

PACKS = Path(__file__).parent / "images"


def packs() -> list[Path]:
    """The committed packs, ``<corpus>-<subset>.zip``."""
    return sorted(PACKS.glob("*.zip"))


def _members(pack: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """Files of a data set's layout. Generated images are kept as WebP without loss, edited photographs as JPEG."""
    for name in pack.namelist():
        data = pack.read(name)
        if name.endswith((".webp", ".png.jpg")):
            buffer = io.BytesIO()
            Image.open(io.BytesIO(data)).convert("RGB").save(buffer, "PNG", compress_level=6)
            name, data = name.removesuffix(".webp").removesuffix(".png.jpg") + ".png", buffer.getvalue()
        yield name, data


def unpack(store: Path, progress: Progress) -> Path:
    """The folder with one sub-folder a data set, below ``store``."""

    def fill(partial: Path) -> None:
        with progress.stage("unpacking the miniature world", len(packs())) as stage:
            for path in packs():
                with zipfile.ZipFile(path) as pack:
                    for name, data in _members(pack):
                        target = partial / path.stem.split("-")[0] / name
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(data)
                progress.advance(stage)

    return whole(store / "miniature" / version(PACKS, packs()), fill)
