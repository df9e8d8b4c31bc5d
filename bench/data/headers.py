"""Facts of image files that need no pixel: container, compression, size, colour profile, camera."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, JpegImagePlugin, UnidentifiedImageError

from bench.data import jpeg
from bench.data.decode import FORMATS
from bench.progress import Progress

#: With fewer files, starting processes takes longer than reading.
_FEW = 2000
_CHUNK = 256
_SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


@dataclass(frozen=True, slots=True)
class Header:
    """Facts of one file.

    ``container`` is Pillow's name of the format in lower case, empty for a file that is no image; ``quality`` the
    JPEG quality estimated from the quantisation tables, ``subsampling`` the chroma's, ``coding`` baseline or
    progressive, for JPEG files alone. ``mode`` is Pillow's (RGB, RGBA, L …). ``profile`` says whether there is a colour
    profile, ``camera`` whether the EXIF names one. ``bytes`` is the file's size.
    """

    container: str = ""
    quality: int = 0
    subsampling: str = ""
    coding: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    profile: bool = False
    camera: bool = False


def header(path: Path) -> Header:
    """The facts of one file, from its first bytes."""
    try:
        size = path.stat().st_size
        with Image.open(path, formats=FORMATS) as image:
            is_jpeg = image.format in ("JPEG", "MPO")
            exif: Mapping[int, object] = image.getexif() if "exif" in image.info else {}
            return Header(
                container="jpeg" if is_jpeg else (image.format or "").lower(),
                quality=jpeg.quality(image) if is_jpeg else 0,
                subsampling=_SAMPLINGS.get(JpegImagePlugin.get_sampling(image), "other") if is_jpeg else "",
                coding=("progressive" if image.info.get("progressive") else "baseline") if is_jpeg else "",
                mode=image.mode,
                width=image.width,
                height=image.height,
                bytes=size,
                profile=bool(image.info.get("icc_profile")),
                camera=bool(exif.get(ExifTags.Base.Make) or exif.get(ExifTags.Base.Model)),
            )
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Header()


def _several(paths: Sequence[Path]) -> list[Header]:
    return [header(path) for path in paths]


def read(paths: Sequence[Path], progress: Progress) -> list[Header]:
    """The facts of many files, in order, by as many processes as there are cores."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    with progress.stage("reading headers", len(paths)) as stage:
        found: list[Header] = []
        for part in _parts(chunks, len(paths)):
            found += part
            progress.advance(stage, len(part))
    return found


def _parts(chunks: Sequence[Sequence[Path]], count: int) -> Iterator[list[Header]]:
    cores = len(os.sched_getaffinity(0))
    if count < _FEW or cores < 2:
        yield from map(_several, chunks)
        return
    with ProcessPoolExecutor(cores) as pool:
        yield from pool.map(_several, chunks)
