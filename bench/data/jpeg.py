"""JPEG facts: quality from quantisation tables, chroma subsampling, and re-encoding with another file's tables."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

RGB = NDArray[np.uint8]


@cache
def _luma_sums() -> NDArray[np.int64]:
    """Sums of the luma quantisation tables that libjpeg writes at qualities 1…100: int64 [100]."""
    sums = []
    for quality in range(1, 101):
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
        sums.append(sum(_tables(Image.open(buffer))[0]))
    return np.asarray(sums)


def _tables(image: Image.Image) -> dict[int, list[int]]:
    tables: dict[int, list[int]] = getattr(image, "quantization", {})
    return tables


def quality(image: Image.Image) -> int:
    """The libjpeg quality (1…100) whose luma table is nearest to the image's; 0 if it is not a JPEG."""
    tables = _tables(image)
    if not tables:
        return 0
    return int(np.abs(_luma_sums() - sum(tables[min(tables)])).argmin()) + 1


def settings(data: bytes) -> dict[str, Any] | None:
    """Quantisation tables and subsampling of JPEG bytes as Pillow save options; None for another container.

    A subsampling that Pillow cannot write (4:1:1 and rarer) is replaced by 4:2:0.
    """
    image = Image.open(io.BytesIO(data))
    tables = _tables(image)
    if not tables:
        return None
    sampling = JpegImagePlugin.get_sampling(image)
    return {"qtables": tables, "subsampling": sampling if sampling in (0, 1, 2) else 2}


def plain(quality: int) -> dict[str, Any]:
    """Pillow save options for libjpeg's tables at a quality of 1…100 with 4:2:0 chroma."""
    return {"quality": quality, "subsampling": 2}


def recompress(rgb: RGB, options: dict[str, Any]) -> RGB:
    """``rgb`` uint8 [H, W, 3] after one JPEG encoding with options from :func:`settings` or :func:`plain`."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", **options)
    return np.asarray(Image.open(buffer).convert("RGB"))
