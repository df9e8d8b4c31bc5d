"""Null generators: photographs in both classes, of which the "fake" ones differ in one thing that is no generator.

Whatever tells them apart has found a property of the dataset. Real datasets differ in these things: how much of a scene
an image shows, in which container it is, how often it was encoded, whether it was cut out of a larger file. A protocol
is as good as the nulls that no detector finds under it.

Every null is made from any folder of photographs, in GenImage's layout. Each photograph is used once, in one class.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data import jpeg
from bench.data.decode import RGB, decode, read
from bench.data.splits import rank
from bench.errors import ImageError, unknown
from bench.progress import Progress
from bench.recipe import content_key
from bench.types import FAKE, REAL

#: Must be increased if the same photographs become other files.
VERSION = 1
#: A photograph made this much smaller has lost its own encoding; every null starts from one.
SHRINK = 0.68
#: The share of photographs that test.
TEST_SHARE = 0.3
#: The quality of a "fake" that is stored as JPEG.
_FAKE_QUALITY = 75
#: The folders of GenImage's layout by label.
_KINDS = {REAL: "nature", FAKE: "ai"}
#: Name and content of a file.
File = tuple[str, bytes]


def _smaller(rgb: RGB, share: float = SHRINK) -> RGB:
    height, width = (max(16, round(side * share)) for side in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def _png(rgb: RGB) -> File:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return ".png", buffer.getvalue()


def _jpeg(rgb: RGB, data: bytes | None) -> File:
    """A JPEG with the tables of a photograph's file; of libjpeg's at quality 75 if ``data`` is None or no JPEG."""
    buffer, options = io.BytesIO(), jpeg.settings(data) if data else None
    Image.fromarray(rgb).save(buffer, "JPEG", **(options or jpeg.plain(_FAKE_QUALITY)))
    return ".jpg", buffer.getvalue()


def _square(rgb: RGB) -> RGB:
    side = min(rgb.shape[:2])
    top, left = ((extent - side) // 2 for extent in rgb.shape[:2])
    return rgb[top : top + side, left : left + side]


def _same(rgb: RGB, data: bytes, label: int) -> File:
    return _png(_smaller(rgb))


def _framing(rgb: RGB, data: bytes, label: int) -> File:
    return _jpeg(rgb, data) if label == REAL else _png(_square(_smaller(rgb)))


def _codec(rgb: RGB, data: bytes, label: int) -> File:
    return _jpeg(_smaller(rgb), data) if label == REAL else _png(_smaller(rgb))


def _jpeg_fakes(rgb: RGB, data: bytes, label: int) -> File:
    return _jpeg(_smaller(rgb), data if label == REAL else None)


def _history(rgb: RGB, data: bytes, label: int) -> File:
    small = _smaller(rgb)
    if label == REAL:
        _, coded = _jpeg(small, data)
        small = decode(coded).rgb
    return _png(small[3:, 5:])  # Off the grid of the codec's blocks.


def _border(rgb: RGB, data: bytes, label: int) -> File:
    small = _smaller(rgb)
    return _jpeg(small, data) if label == REAL else _png(_square(small))


#: Every kind by name: what makes a file of a photograph's pixels, the bytes of its file and a label; and what it is.
KINDS: Mapping[str, tuple[Callable[[RGB, bytes, int], File], str]] = {
    "same": (_same, "no difference at all: what chance looks like"),
    "framing": (_framing, "fakes show the middle of a smaller copy, reals are larger files"),
    "codec": (_codec, "reals are JPEG files, fakes are PNG files of the same size"),
    "jpeg_fakes": (_jpeg_fakes, "both are JPEG files; fakes have quality 75, reals that of photographs"),
    "history": (_history, "both are PNG files; reals were JPEG files, cut off the grid of their blocks"),
    "border": (_border, "fakes are square PNG files, reals JPEG files with more at the sides"),
}


def check_kind(name: str) -> None:
    """Raise UserError for an unknown kind."""
    if name not in KINDS:
        raise unknown("kind of null", name, KINDS)


def subset_of(kind: str) -> str:
    """The name of a null as a subset of GenImage."""
    return f"null_{kind}"


def usable(photographs: Sequence[Path]) -> list[Path]:
    """The photographs of nearly one size: a shorter side of 0.75 to 1.5 times the median; unreadable files are not.

    Otherwise size would differ within a class as much as what the null is about.
    """
    sides: dict[Path, int] = {}
    for path in photographs:
        try:
            with Image.open(path) as image:
                sides[path] = min(image.size)
        except (OSError, ValueError, Image.DecompressionBombError):
            continue
    middle = float(np.median(list(sides.values()))) if sides else 0.0
    return [path for path, side in sides.items() if 0.75 * middle <= side <= 1.5 * middle]


def _split(photographs: Sequence[Path], kind: str) -> list[tuple[Path, int, str]]:
    """Every photograph with its label and split, in a seeded order; classes are of equal size in each split."""
    ordered = sorted(photographs, key=lambda path: rank(VERSION, f"{kind} {path.parent.name}/{path.name}"))
    tests = round(TEST_SHARE * len(ordered) / 2) * 2
    return [(path, place % 2, "val" if place < tests else "train") for place, path in enumerate(ordered)]


def make(kind: str, photographs: Sequence[Path], home: Path, progress: Progress) -> dict[str, int]:
    """Write the dataset of a kind below ``home``; returns how many photographs could not be read, by reason."""
    failed: dict[str, int] = {}
    draw, _ = KINDS[kind]
    with progress.stage(f"null generator {kind}", len(photographs)) as stage:
        for number, (path, label, split) in enumerate(_split(photographs, kind)):
            progress.advance(stage)
            try:
                data = read(path)
                ending, content = draw(decode(data).rgb, data, label)
            except ImageError as error:
                failed[str(error)] = failed.get(str(error), 0) + 1
                continue
            folder = home / "genimage" / subset_of(kind) / split / _KINDS[label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:06d}{ending}").write_bytes(content)
    return failed


def key_of(kind: str, photographs: Sequence[Path]) -> str:
    """The name of the folder of a null: a hash of its kind and of the photographs' names, sizes and times of change."""
    facts = [(path, path.stat()) for path in photographs]
    files = sorted([f"{path.parent.name}/{path.name}", fact.st_size, fact.st_mtime_ns] for path, fact in facts)
    return f"{kind}-{content_key([VERSION, kind, files])[:16]}"
