"""Protocols: preprocessing of both classes of a slice before any method sees the pixels.

``raw`` leaves files unchanged. ``aligned`` gives both classes one field of view and one history, by one sequence of
operations: scale the whole image so that its shorter side is common to the slice, take a square window along the longer
side, encode it once as JPEG with a margin, cut the margin off; and it keeps as many reals as fakes.

Every image is made at least a fifth smaller. What earlier resizes, encodings and cameras left near the highest
frequencies ends there, and the encoding covers the rest, whatever the file was before. ``docs/protocols.md`` shows what
detectors find where there is nothing to find, with this version and with the one before.

``harmonised`` stops before the encoding: one field of view, each image with its own history. The protocols of
:mod:`bench.data.codecs` treat the encoding and keep sizes. Together they say how much of a raw score is the codec's and
how much the size's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from bench.data import codecs, jpeg
from bench.data.decode import RGB, decode, read
from bench.data.splits import rank
from bench.errors import UserError, unknown
from bench.operations import Operation
from bench.recipe import SOURCE, Recipe, content_key
from bench.types import FAKE, REAL, Item, Slice

ALIGNED_VERSION = 2
#: The common shorter side is at most this share of that of any image that is used.
SCALE = 0.8
#: The share of the possible pairs that the common side must keep: a few small images do not decide it for all, and
#: slices of one dataset nearly always have one side.
KEPT = 0.8
#: Sides are multiples of this many pixels, as latent diffusion needs.
GRID = 8
#: The quality of the one encoding, with 4:2:0 chroma: libjpeg's default, and LSUN's. A weaker one leaves traces of an
#: earlier one.
QUALITY = 75
#: Pixels around the window that are encoded with it and cut off: a codec treats the edge of an image in its own way.
MARGIN = 16


def _side(item: Item) -> int:
    return min(item.width, item.height)


def _fits(item: Item, size: int) -> bool:
    return size <= SCALE * _side(item)


def common_size(pool: Sequence[Item]) -> int:
    """The shorter side in pixels to which a slice is scaled: the largest that keeps :data:`KEPT` of the pairs.

    0 if no image of one of the classes is large enough for any.
    """
    sides = [np.sort([_side(item) for item in pool if item.label == label]) for label in (REAL, FAKE)]
    largest = int(SCALE * max((int(s[-1]) for s in sides if len(s)), default=0)) // GRID * GRID
    sizes = np.arange(GRID, largest + 1, GRID)
    # Images with size <= SCALE * side, by bisection.
    pairs = np.min([len(s) - s.searchsorted(sizes / SCALE) for s in sides], axis=0)
    enough = sizes[pairs >= max(KEPT * pairs.max(initial=0), 1)]
    return int(enough[-1]) if len(enough) else 0


def _window(item: Item, size: int) -> Operation:
    """A seeded square window along the longer side of the scaled image."""
    width, height = scaled_to(item.width, item.height, size)
    left, top = (
        int(rank(axis, item.image_id)[:8], 16) % (extent - size + 1) for axis, extent in ((1, width), (2, height))
    )
    return Operation(left, top, size)


def scaled_to(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height of an image whose shorter side becomes ``size``."""
    scale = size / min(width, height)
    return max(size, round(width * scale)), max(size, round(height * scale))


def _raw(slice_: Slice) -> Slice:
    """The files as they are."""
    return slice_


def _distinct(pool: Sequence[Item], label: int, size: int) -> list[Item]:
    """The images of a class that are large enough, each once, in seeded order."""
    chosen = {i.image_id: i for i in reversed(pool) if i.label == label and _fits(i, size)}
    return sorted(chosen.values(), key=lambda item: rank(3, item.image_id))


def _aligned(slice_: Slice) -> Slice:
    """One field of view and one encoding for both classes, and as many photographs as fakes."""
    return _viewed(slice_, "aligned")


def _harmonised(slice_: Slice) -> Slice:
    """One field of view for both classes and as many photographs as fakes, as in ``aligned``; not encoded."""
    return _viewed(slice_, "harmonised")


def _viewed(slice_: Slice, name: str) -> Slice:
    size = common_size(slice_.usable)
    if not size:
        raise UserError(
            f"The {name} protocol found no size that both classes of {slice_.name} share.",
            f"Shorter sides: real {_sides(slice_, REAL)}, fake {_sides(slice_, FAKE)}; it needs {GRID / SCALE:.0f} px.",
            "Add larger images, or use --protocols raw.",
        )
    classes = [_distinct(slice_.usable, label, size) for label in (REAL, FAKE)]
    count = min(len(pool) for pool in classes)
    operations = {item.row_id: _window(item, size) for pool in classes for item in pool[:count]}
    chosen = tuple(item for item in slice_.items if item.row_id in operations)
    described = sorted([item.image_id, op.left, op.top, op.size] for item in chosen for op in [operations[item.row_id]])
    recipe = Recipe(
        name, ALIGNED_VERSION, {"size": size, "operations": content_key(described)}, inputs={"image": SOURCE}
    )
    left_out = len(slice_.usable) - len(chosen)
    return replace(slice_, items=chosen, protocol=name, image=recipe, operations=operations, left_out=left_out)


def _sides(slice_: Slice, label: int) -> str:
    sides = sorted({_side(item) for item in slice_.usable if item.label == label})
    return f"{sides[0]}…{sides[-1]} px" if sides else "none"


PROTOCOLS: Mapping[str, Callable[[Slice], Slice]] = {
    "raw": _raw,
    "aligned": _aligned,
    "harmonised": _harmonised,
    "codec_match": codecs.match,
    "codec_both": codecs.both,
    "codec_fakes_only": codecs.fakes_only,
}


def meaning(name: str) -> str:
    """What a protocol does, in one sentence. Raises UserError for an unknown one."""
    check_protocol(name)
    return (PROTOCOLS[name].__doc__ or "").partition("\n")[0].replace("``", "")


def check_protocol(name: str) -> None:
    """Raise UserError for an unknown protocol."""
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)


def apply_protocol(name: str, slice_: Slice) -> Slice:
    """The slice after a protocol. Raises UserError if the protocol is unknown or cannot be applied to the slice."""
    check_protocol(name)
    return PROTOCOLS[name](slice_)


def perform(operation: Operation, rgb: RGB, quality: int = QUALITY) -> RGB:
    """Apply a protocol's operation to one image: uint8 [H, W, 3] to [size, size, 3].

    The filter of the resize is Lanczos'. Beyond the image's edge the margin mirrors it. A ``quality`` of 0 is no
    encoding.
    """
    size, height, width = operation.size, *rgb.shape[:2]
    scaled = Image.fromarray(rgb).resize(scaled_to(width, height, size), Image.Resampling.LANCZOS)
    around = np.pad(np.asarray(scaled), ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric")
    wide = size + 2 * MARGIN
    window = around[operation.top : operation.top + wide, operation.left : operation.left + wide]
    coded = jpeg.recompress(window, jpeg.plain(quality)) if quality else window
    return coded[MARGIN:-MARGIN, MARGIN:-MARGIN]


def read_source(item: Item) -> RGB:
    """The pixels of an item's file: uint8 [H, W, 3]. Raises ImageError."""
    return decode(read(item.path)).rgb
