"""Protocols: what is done to both classes of a slice before any method sees a pixel.

``raw`` leaves files as they are. ``aligned`` takes the shortcuts away: one square size for both classes, windows of
JPEG images on multiples of 16 so that the codec's block grid stays in place, every fake encoded once with the
quantisation tables and subsampling of a partner real, and as many reals as fakes. A real that is no JPEG file may still
have been one (ForenSynths' are PNG of JPEG photographs), and its tables are lost: it and its fake are both encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.data import jpeg
from bench.data.decode import RGB, decode, read
from bench.data.splits import rank
from bench.errors import UserError, unknown
from bench.recipe import SOURCE, Recipe, content_key
from bench.types import FAKE, REAL, Item, Operation, Slice

#: Largest ratio of an image's shorter side to the window: beyond it a window shows a part where the other class shows a
#: whole scene, and scale tells the classes apart.
MAX_RATIO = 2.0
GRID = 16
ALIGNED_VERSION = 1
#: The quality at which both of a pair are encoded where the real's own is not known: libjpeg's default, and LSUN's. A
#: weaker encoding would leave an earlier one to be seen.
COVER_QUALITY = 75


def _side(item: Item) -> int:
    return min(item.width, item.height)


def _fits(item: Item, size: int) -> bool:
    return size <= _side(item) < MAX_RATIO * size


def window_size(pool: Sequence[Item]) -> int:
    """The window with which most balanced pairs can be drawn; the larger of equals, 0 if none gives a pair."""
    best = (0, 0)
    for size in sorted({_side(item) // 8 * 8 for item in pool} - {0}):
        counts = [sum(i.label == label and _fits(i, size) for i in pool) for label in (REAL, FAKE)]
        best = max(best, (min(counts), size))
    return best[1] if best[0] else 0


def _window(item: Item, size: int) -> tuple[int, int]:
    """A seeded window position; on the codec's grid where the file is a JPEG."""
    step = GRID if item.container == "jpeg" else 1
    left, top = (
        int(rank(axis, item.image_id)[:8], 16) % ((extent - size) // step + 1) * step
        for axis, extent in ((1, item.width), (2, item.height))
    )
    return left, top


def _nearest(pool: Sequence[Item], size: int, count: int) -> list[Item]:
    """``count`` images, those whose size is nearest above the window first, in seeded order within a size."""
    return sorted(pool, key=lambda item: (_side(item) // 8, rank(3, item.image_id)))[:count]


def _raw(part: Slice) -> Slice:
    return part


def _distinct(pool: Sequence[Item], label: int, size: int) -> list[Item]:
    chosen = {i.image_id: i for i in reversed(pool) if i.label == label and _fits(i, size)}
    return list(chosen.values())


def _pair(real: Item, fake: Item, size: int) -> dict[str, Operation]:
    """What is done to a real and the fake that it is the partner of."""
    cut = {item.row_id: Operation(*_window(item, size), size) for item in (real, fake)}
    if real.container != "jpeg":
        return {row: replace(operation, quality=COVER_QUALITY) for row, operation in cut.items()}
    return cut | {fake.row_id: replace(cut[fake.row_id], partner=real.path, partner_id=real.file_id)}


def _aligned(part: Slice) -> Slice:
    size = window_size(part.usable)
    classes = [_distinct(part.usable, label, size) for label in (REAL, FAKE)]
    count = min(len(pool) for pool in classes)
    if not size or not count:
        raise UserError(
            f"The aligned protocol finds no size that both classes of {part.name} share.",
            f"Shorter sides: real {_sides(part, REAL)}, fake {_sides(part, FAKE)}.",
            f"Add images whose shorter sides are within a factor of {MAX_RATIO:g}, or use --protocols raw.",
        )
    reals, fakes = (_nearest(pool, size, count) for pool in classes)
    partners = sorted(reals, key=lambda item: rank(4, item.image_id))
    operations: dict[str, Operation] = {}
    for fake, real in zip(sorted(fakes, key=lambda item: rank(5, item.image_id)), partners, strict=True):
        operations |= _pair(real, fake, size)
    chosen = tuple(item for item in part.items if item.row_id in operations)
    described = [
        [item.image_id, op.left, op.top, op.size, op.partner_id, *([op.quality] if op.quality else [])]
        for item, op in sorted(((i, operations[i.row_id]) for i in chosen), key=lambda pair: pair[0].image_id)
    ]
    recipe = Recipe(
        "aligned", ALIGNED_VERSION, {"size": size, "operations": content_key(described)}, inputs={"image": SOURCE}
    )
    return replace(part, items=chosen, protocol="aligned", image=recipe, operations=operations)


def _sides(part: Slice, label: int) -> str:
    sides = sorted({_side(item) for item in part.usable if item.label == label})
    return f"{sides[0]}…{sides[-1]} px" if sides else "none"


PROTOCOLS: Mapping[str, Callable[[Slice], Slice]] = {"raw": _raw, "aligned": _aligned}


def check_protocol(name: str) -> None:
    """Raise UserError for a protocol that does not exist."""
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)


def apply_protocol(name: str, part: Slice) -> Slice:
    """The slice as a protocol presents it. Raises UserError where the protocol cannot be applied to it."""
    check_protocol(name)
    return PROTOCOLS[name](part)


def perform(operation: Operation, rgb: RGB) -> RGB:
    """What a protocol does to one image: uint8 [H, W, 3] to [size, size, 3]."""
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
