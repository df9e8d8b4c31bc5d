"""The one image reader. Its rules are fixed and versioned, because every content key stands on the pixels it gives.

EXIF orientation is applied (as OpenCV does, and as a viewer shows the image); an alpha channel is dropped (as every
official loader does; ADM's RGBA files are opaque); 16-bit channels keep their upper byte; ICC profiles are ignored; of
an animation the first frame is taken.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.data import jpeg
from bench.errors import ImageError

DECODE_VERSION = 1
RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Decoded:
    """Pixels uint8 [H, W, 3] and what the file said of itself."""

    rgb: RGB
    container: str
    quality: int


#: Containers whose 16-bit images Pillow may open as 32-bit ones; they have none of 32 bits.
_SIXTEEN = ("png", "ppm")


def _to_rgb(image: Image.Image, container: str) -> RGB:
    if image.mode == "F" or (image.mode == "I" and container not in _SIXTEEN):
        raise ValueError("its numbers are wider than 16 bits, and nothing tells what white is")
    if image.mode.startswith("I"):
        return np.repeat((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def decode(data: bytes) -> Decoded:
    """Decode the bytes of an image file. Raises ImageError with the decoder's reason."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            container, quality = (image.format or "unknown").lower(), jpeg.quality(image)
            image.load()
            rgb = _to_rgb(ImageOps.exif_transpose(image), container)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        # Pillow names the buffer's address in some messages, which would differ at every run.
        reason = str(error).split(" <")[0].rstrip(":") or type(error).__name__
        raise ImageError(
            f"The image cannot be decoded: {reason}.", f"It has {len(data)} bytes.", "Replace the file."
        ) from error
    return Decoded(np.ascontiguousarray(rgb), container, quality)


def encode_png(rgb: RGB) -> bytes:
    """Lossless PNG bytes of uint8 [H, W, 3]; the one container of image artefacts."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def file_id(data: bytes) -> str:
    """Content hash of a file's bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def image_id(rgb: RGB) -> str:
    """Content hash of width, height and pixels: the same for a PNG and its BMP copy."""
    height, width = rgb.shape[:2]
    digest = hashlib.sha256(f"{DECODE_VERSION} {width} {height} ".encode())
    digest.update(rgb.tobytes())
    return digest.hexdigest()[:32]
