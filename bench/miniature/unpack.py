"""Unpack the committed image packs into the data sets' layouts, once a version; generated images become PNG."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bench.data.classes import FILES, NAMES
from bench.miniature.builders.layouts import GENIMAGE, val_name
from bench.miniature.scenes import class_words, sample_scene, scene_class
from bench.models.embedded import version, whole
from bench.progress import Progress

PACKS = Path(__file__).parent / "images"
#: Raised when other files are unpacked from the same packs.
_FORM = 2


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


def _write_classes(folder: Path) -> None:
    """What GenImage's file names leave out, as :mod:`bench.data.classes` reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    words = {key: text for i, text in enumerate(class_words()) for key in (str(i), f"n{i:08d}")}
    files = {
        val_name(layout, index): f"n{scene_class(sample_scene('detectors', layout.number, 1, 0, index)):08d}"
        for layout in GENIMAGE.values()
        for index in range(layout.test)
    }
    for name, table in ((NAMES, words), (FILES, files)):
        (folder / name).write_text(json.dumps(table, indent=0) + "\n", encoding="utf-8")


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
        _write_classes(partial / "genimage")

    return whole(store / "miniature" / f"{version(PACKS, packs())}-{_FORM}", fill)
