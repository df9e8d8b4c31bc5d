"""The only image decoder. Its rules are fixed and versioned, because every content key depends on the decoded pixels.

EXIF orientation is applied, as OpenCV and image viewers do; all other EXIF data is ignored. An alpha channel is
dropped, as every official loader does (ADM's RGBA files are opaque). 16-bit channels keep their upper byte. ICC
profiles are ignored. Only the first frame of an animation is read. Invalid bytes of any kind raise ImageError.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data import jpeg
from bench.errors import ImageError

DECODE_VERSION = 1
RGB = NDArray[np.uint8]
#: The Pillow formats that are enabled. Others start programs (EPS), read video, or open files that are not images.
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
#: Number of leading bytes of a file that :func:`kind_of` needs.
HEAD = 64
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"\0\0\0\x0cjP  \r\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
)
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis")


@dataclass(frozen=True)
class Decoded:
    """Decoded pixels, uint8 [H, W, 3], the container, and the estimated JPEG quality (1…100; 0 if not a JPEG)."""

    rgb: RGB
    container: str
    quality: int


#: Containers whose 16-bit images Pillow may open as 32-bit ones; neither supports 32 bits.
_SIXTEEN = ("png", "ppm")


def kind_of(head: bytes) -> str:
    """The container of a file by its first :data:`HEAD` bytes (``png``, ``heic`` …), or an empty string if unknown."""
    if head[4:8] == b"ftyp":
        brands = (head[8:12], *(head[offset : offset + 4] for offset in range(16, len(head) - 3, 4)))
        if head[8:12] in (b"avif", b"avis") or b"avif" in brands:
            return "avif"
        return "heic" if any(brand in _HEIC for brand in brands) or head[8:12] in (b"mif1", b"msf1") else ""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if len(head) > 2 and head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "ppm"
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")


def _to_rgb(image: Image.Image, container: str) -> RGB:
    if image.mode == "F" or (image.mode == "I" and container not in _SIXTEEN):
        raise ValueError("its samples have more than 16 bits, and the value of white is unknown")
    if image.mode.startswith("I"):
        return np.repeat((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def _upright(image: Image.Image) -> Image.Image:
    """Apply the orientation tag; the image is unchanged if the tag, or EXIF as a whole, cannot be read."""
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - EXIF is untrusted input, for which Pillow raises many types of exceptions
        return image
    return image if turn is None else image.transpose(turn)


def _reason(error: Exception, data: bytes) -> str:
    if kind_of(data[:HEAD]) == "heic":
        return "HEIC is not supported; convert it to PNG or JPEG"
    if not data:
        return "the file is empty"
    # Some of Pillow's messages contain the buffer's address, which differs in every run.
    return str(error).split(" <")[0].rstrip(":") or type(error).__name__


def decode(data: bytes) -> Decoded:
    """Decode the bytes of an image file. Raises ImageError with the decoder's reason, and no other exception."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            container, quality = (image.format or "unknown").lower(), jpeg.quality(image)
            image.load()
            rgb = _to_rgb(_upright(image), container)
    except Exception as error:
        raise ImageError(
            f"The image cannot be decoded: {_reason(error, data)}.",
            f"The file has {len(data)} bytes.",
            "Replace the file.",
        ) from error
    # An MPO is a JPEG followed by further images.
    return Decoded(np.ascontiguousarray(rgb), "jpeg" if container == "mpo" else container, quality)


def read(path: Path) -> bytes:
    """The bytes of an image file. Raises ImageError if the file cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise ImageError("The image is not a regular file.", f"Looked at {path}.", "Give an image file.")
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ImageError(f"The image cannot be read: {reason}.", f"Looked at {path}.", "Restore the file.") from error


_notes: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def noting() -> Iterator[list[str]]:
    """Collect Pillow's warnings in this thread during a block. :func:`route_warnings` must have been called before."""
    messages: list[str] = []
    token = _notes.set(messages)
    try:
        yield messages
    finally:
        _notes.reset(token)


def route_warnings() -> None:
    """Pass Pillow's warnings to :func:`noting` instead of printing them, because they do not name the file.

    The scan reports them with the file's name; later reads of the same file would only repeat them.
    """
    warnings.filterwarnings("always", module=r"PIL\.")
    pillow, default = str(Path(Image.__file__).parent), warnings.showwarning

    def show(message: Any, category: Any, filename: str, lineno: int, *rest: Any) -> None:  # noqa: ANN401 - as in warnings
        if not filename.startswith(pillow):
            default(message, category, filename, lineno, *rest)
            return
        notes = _notes.get()
        if notes is not None and str(message) not in notes:
            notes.append(str(message))

    hook: Callable[..., None] = show
    warnings.showwarning = hook


def encode_png(rgb: RGB) -> bytes:
    """Encode uint8 [H, W, 3] as lossless PNG, the container of all image artefacts."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def file_id(data: bytes) -> str:
    """Content hash of a file's bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def image_id(rgb: RGB) -> str:
    """Content hash of width, height and pixels uint8 [H, W, 3]; equal for a PNG and its BMP copy."""
    height, width = rgb.shape[:2]
    digest = hashlib.sha256(f"{DECODE_VERSION} {width} {height} ".encode())
    digest.update(rgb.tobytes())
    return digest.hexdigest()[:32]
