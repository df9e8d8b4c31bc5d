"""Protocols: preprocessing of both classes of a slice before any method sees the pixels.

``raw`` leaves files unchanged. ``aligned`` removes shortcuts: it crops both classes to windows of one square size, puts
windows of JPEG images on multiples of 16 so that the codec's block grid stays in place, encodes every fake once with
the quantisation tables and subsampling of a partner real, and keeps as many reals as fakes. A real that is not a JPEG
file may have been one (ForenSynths has PNG copies of JPEG photographs), and its tables are lost. In that case the real
and its fake are both encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.data import jpeg
from bench.data.decode import RGB, decode, read
from bench.data.splits import rank
from bench.errors import UserError, unknown
from bench.recipe import SOURCE, Recipe, content_key
from bench.types import FAKE, REAL, Item, Operation, Slice

#: An image's shorter side must be less than this many times the window. Otherwise the window shows a small part of a
#: scene while those of the other class show whole scenes, and scale alone separates the classes.
MAX_RATIO = 2.0
GRID = 16
ALIGNED_VERSION = 1
#: The quality at which both images of a pair are encoded if that of the real is unknown: libjpeg's default, and LSUN's
#: quality. A weaker encoding would leave traces of an earlier one.
COVER_QUALITY = 75


def _side(item: Item) -> int:
    return min(item.width, item.height)


def _fits(item: Item, size: int) -> bool:
    return size <= _side(item) < MAX_RATIO * size


def window_size(pool: Sequence[Item]) -> int:
    """The window size in pixels that allows most pairs; the larger one of equally good sizes, 0 if none allows any."""
    sides = [np.sort([_side(item) for item in pool if item.label == label]) for label in (REAL, FAKE)]
    sizes = np.unique(np.concatenate(sides) // 8 * 8)
    # Images with size <= side < MAX_RATIO * size, by bisection.
    counts = np.min([s.searchsorted(MAX_RATIO * sizes) - s.searchsorted(sizes) for s in sides], axis=0)
    counts[sizes == 0] = 0
    best = len(sizes) - 1 - int(counts[::-1].argmax()) if len(sizes) else 0
    return int(sizes[best]) if len(sizes) and counts[best] else 0


def _window(item: Item, size: int) -> tuple[int, int]:
    """Left and top of a seeded window, on the codec's grid if the file is a JPEG."""
    step = GRID if item.container == "jpeg" else 1
    left, top = (
        int(rank(axis, item.image_id)[:8], 16) % ((extent - size) // step + 1) * step
        for axis, extent in ((1, item.width), (2, item.height))
    )
    return left, top


def _nearest(pool: Sequence[Item], size: int, count: int) -> list[Item]:
    """The ``count`` images with the smallest shorter sides, in seeded order within bands of 8 pixels."""
    return sorted(pool, key=lambda item: (_side(item) // 8, rank(3, item.image_id)))[:count]


def _raw(slice_: Slice) -> Slice:
    return slice_


def _distinct(pool: Sequence[Item], label: int, size: int) -> list[Item]:
    chosen = {i.image_id: i for i in reversed(pool) if i.label == label and _fits(i, size)}
    return list(chosen.values())


def _pair(real: Item, fake: Item, size: int) -> dict[str, Operation]:
    """The operations of a fake and of the real that is its partner, by row id."""
    crops = {item.row_id: Operation(*_window(item, size), size) for item in (real, fake)}
    if real.container != "jpeg":
        return {row: replace(operation, quality=COVER_QUALITY) for row, operation in crops.items()}
    return crops | {fake.row_id: replace(crops[fake.row_id], partner=real.path, partner_id=real.file_id)}


def _aligned(slice_: Slice) -> Slice:
    size = window_size(slice_.usable)
    classes = [_distinct(slice_.usable, label, size) for label in (REAL, FAKE)]
    count = min(len(pool) for pool in classes)
    if not size or not count:
        raise UserError(
            f"The aligned protocol found no size that both classes of {slice_.name} share.",
            f"Shorter sides: real {_sides(slice_, REAL)}, fake {_sides(slice_, FAKE)}.",
            f"Add images whose shorter sides are within a factor of {MAX_RATIO:g}, or use --protocols raw.",
        )
    reals, fakes = (_nearest(pool, size, count) for pool in classes)
    partners = sorted(reals, key=lambda item: rank(4, item.image_id))
    operations: dict[str, Operation] = {}
    for fake, real in zip(sorted(fakes, key=lambda item: rank(5, item.image_id)), partners, strict=True):
        operations |= _pair(real, fake, size)
    chosen = tuple(item for item in slice_.items if item.row_id in operations)
    described = [
        [item.image_id, op.left, op.top, op.size, op.partner_id, *([op.quality] if op.quality else [])]
        for item, op in sorted(((i, operations[i.row_id]) for i in chosen), key=lambda pair: pair[0].image_id)
    ]
    recipe = Recipe(
        "aligned", ALIGNED_VERSION, {"size": size, "operations": content_key(described)}, inputs={"image": SOURCE}
    )
    return replace(slice_, items=chosen, protocol="aligned", image=recipe, operations=operations)


def _sides(slice_: Slice, label: int) -> str:
    sides = sorted({_side(item) for item in slice_.usable if item.label == label})
    return f"{sides[0]}…{sides[-1]} px" if sides else "none"


PROTOCOLS: Mapping[str, Callable[[Slice], Slice]] = {"raw": _raw, "aligned": _aligned}


def check_protocol(name: str) -> None:
    """Raise UserError for an unknown protocol."""
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)


def apply_protocol(name: str, slice_: Slice) -> Slice:
    """The slice after a protocol. Raises UserError if the protocol is unknown or cannot be applied to the slice."""
    check_protocol(name)
    return PROTOCOLS[name](slice_)


def perform(operation: Operation, rgb: RGB) -> RGB:
    """Apply a protocol's operation to one image: uint8 [H, W, 3] to [size, size, 3]."""
    left, top, size = operation.left, operation.top, operation.size
    window = rgb[top : top + size, left : left + size]
    if operation.quality:
        return jpeg.recompress(window, jpeg.plain(operation.quality))
    if operation.partner is None:
        return window
    options = jpeg.settings(read(operation.partner))
    return window if options is None else jpeg.recompress(window, options)


def read_source(item: Item) -> RGB:
    """The pixels of an item's file: uint8 [H, W, 3]. Raises ImageError."""
    return decode(read(item.path)).rgb
