"""The one image reader. Its rules are fixed and versioned, because every content key stands on the pixels it gives.

EXIF orientation is applied (as OpenCV does, and as a viewer shows the image) and nothing else of EXIF is looked at; an
alpha channel is dropped (as every official loader does; ADM's RGBA files are opaque); 16-bit channels keep their upper
byte; ICC profiles are ignored; of an animation the first frame is taken. Whatever the bytes, only ImageError leaves it.
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
#: Pillow's readers that are used. Others start programs (EPS), play films, or open what is no picture.
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
#: Bytes of a file that are enough for :func:`kind_of`.
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
    """Pixels uint8 [H, W, 3] and what the file said of itself."""

    rgb: RGB
    container: str
    quality: int


#: Containers whose 16-bit images Pillow may open as 32-bit ones; they have none of 32 bits.
_SIXTEEN = ("png", "ppm")


def kind_of(head: bytes) -> str:
    """The container that a file's first :data:`HEAD` bytes announce (``png``, ``heic`` …); empty for anything else."""
    if head[4:8] == b"ftyp":
        brands = (head[8:12], *(head[at : at + 4] for at in range(16, len(head) - 3, 4)))
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
        raise ValueError("its numbers are wider than 16 bits, and nothing tells what white is")
    if image.mode.startswith("I"):
        return np.repeat((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def _upright(image: Image.Image) -> Image.Image:
    """The image as its orientation tag says; as stored where the tag, or EXIF as a whole, cannot be read."""
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - EXIF is a stranger's; Pillow raises whatever it trips over
        return image
    return image if turn is None else image.transpose(turn)


def _reason(error: Exception, data: bytes) -> str:
    if kind_of(data[:HEAD]) == "heic":
        return "it is HEIC, which is not read; convert it to PNG or JPEG"
    if not data:
        return "it is empty"
    # Pillow names the buffer's address in some messages, which would differ at every run.
    return str(error).split(" <")[0].rstrip(":") or type(error).__name__


def decode(data: bytes) -> Decoded:
    """Decode the bytes of an image file. Raises ImageError with the decoder's reason, and nothing else."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            container, quality = (image.format or "unknown").lower(), jpeg.quality(image)
            image.load()
            rgb = _to_rgb(_upright(image), container)
    except Exception as error:
        raise ImageError(
            f"The image cannot be decoded: {_reason(error, data)}.", f"It has {len(data)} bytes.", "Replace the file."
        ) from error
    # An MPO is a JPEG with further pictures behind it.
    return Decoded(np.ascontiguousarray(rgb), "jpeg" if container == "mpo" else container, quality)


def read(path: Path) -> bytes:
    """The bytes of an image file. Raises ImageError if they cannot be had."""
    try:
        if path.exists() and not path.is_file():
            raise ImageError("It is no regular file.", f"Looked at {path}.", "Name an image file.")
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ImageError(f"The image cannot be read: {why}.", f"Looked at {path}.", "Restore the file.") from error


_notes: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def noting() -> Iterator[list[str]]:
    """Collect what Pillow warns of in this thread during a block, once :func:`route_warnings` has been called."""
    found: list[str] = []
    token = _notes.set(found)
    try:
        yield found
    finally:
        _notes.reset(token)


def route_warnings() -> None:
    """From now on, hand Pillow's warnings to :func:`noting` and print none: they name no file.

    The scan reports them with the file's name; later reads of the same file have nothing new to say.
    """
    warnings.filterwarnings("always", module=r"PIL\.")
    home, shown = str(Path(Image.__file__).parent), warnings.showwarning

    def show(message: Any, category: Any, filename: str, lineno: int, *rest: Any) -> None:  # noqa: ANN401 - as Python has it
        if not filename.startswith(home):
            shown(message, category, filename, lineno, *rest)
            return
        notes = _notes.get()
        if notes is not None and str(message) not in notes:
            notes.append(str(message))

    hook: Callable[..., None] = show
    warnings.showwarning = hook


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
