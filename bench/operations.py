"""What a protocol does to one image: a window of one size, or an encoding at the image's own size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Operation:
    """What a protocol does to one image: scale it so that its shorter side is ``size``, and take a square window.

    ``left`` and ``top`` are pixels of the scaled image. How the window is encoded is the protocol's.
    """

    left: int
    top: int
    size: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a protocol of codecs does to one image: one JPEG encoding at the image's own size, or nothing.

    ``quality`` is libjpeg's, 1…100 with 4:2:0 chroma; 0 is no encoding. ``like`` is a JPEG file of about that quality,
    whose tables and chroma are used instead.
    """

    quality: int = 0
    like: Path | None = None
