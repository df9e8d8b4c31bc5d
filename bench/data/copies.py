"""Copies of an image that were encoded again or resized, found by a perceptual hash.

The hash is that of the library imagehash, 256 signs of the lowest frequencies of a small greyscale copy, with the mean
colour behind it. Among the 7,120 images of the miniature world no two different ones differ in fewer than 24 signs. Of
copies encoded with JPEG of quality 75, or resized to half or 1.5 times the side, at least 95 % differ in at most
:data:`NEAR`. Copies of much lower quality and crops are not found. Plain images have no hash: their signs are noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from bench.data.decode import RGB

#: Signs along each side of the hash.
SIDE = 16
#: Two images whose hashes differ in at most this many of the 256 signs are copies.
NEAR = 20
#: And their mean colours in at most so many levels of each channel.
NEAR_COLOUR = 8
#: Bits of the largest of the NEAR + 1 parts of a hash.
_PART_BITS = -(-SIDE * SIDE // (NEAR + 1))
#: An image whose grey levels have a smaller standard deviation is plain.
PLAIN = 4.0
#: Hashes compared at a time, to limit memory.
_BLOCK = 1 << 14

Words = NDArray[np.uint64]


def perceptual_hash(rgb: RGB) -> str:
    """The hash of an image uint8 [H, W, 3]: 70 hexadecimal digits, or '' for a plain image."""
    import imagehash

    image = Image.fromarray(rgb)
    if ImageStat.Stat(image.convert("L")).stddev[0] < PLAIN:
        return ""
    colour = bytes(round(mean) for mean in ImageStat.Stat(image).mean).hex()
    return f"{imagehash.phash(image, hash_size=SIDE)}{colour}"


def _read(hashes: Sequence[str]) -> tuple[Words, NDArray[np.int16]]:
    """Hashes as words [N, 4] of 64 bits, and colours [N, 3]."""
    packed = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), -1)
    return np.ascontiguousarray(packed[:, :-3]).view(np.uint64), packed[:, -3:].astype(np.int16)


def _parts(words: Words) -> list[NDArray[np.int32]]:
    """NEAR + 1 groups of bits of every hash, as numbers [N]."""
    bits = np.unpackbits(words.view(np.uint8), axis=1)
    parts = np.array_split(np.arange(bits.shape[1]), NEAR + 1)
    return [bits[:, part].astype(np.int32) @ (1 << np.arange(len(part), dtype=np.int32)) for part in parts]


def _candidates(
    ours: NDArray[np.int32], order: NDArray[np.int64], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of indices with equal values; the value v of the others is at ``order[starts[v] : starts[v + 1]]``."""
    begin = starts[ours]
    counts = starts[ours + 1] - begin
    first = np.repeat(np.arange(len(ours)), counts)
    steps = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts - begin, counts)
    return first, order[steps]


def _by_value(values: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices in the order of the values, and where each value begins among them."""
    order = np.argsort(values, kind="stable")
    return order, values[order].searchsorted(np.arange((1 << _PART_BITS) + 1))


def _pairs(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Indices of hashes of copies: if they differ in at most NEAR bits, one of NEAR + 1 parts has no difference."""
    if len(theirs) > len(ours):  # The longer sequence is taken in blocks, which saves memory.
        yield from ((a, b) for b, a in _pairs(theirs, ours))
        return
    other, other_colours = _read(theirs)
    other_parts = [_by_value(part) for part in _parts(other)]
    for start in range(0, len(ours), _BLOCK):
        words, colours = _read(ours[start : start + _BLOCK])
        for part, (order, starts) in zip(_parts(words), other_parts, strict=True):
            a, b = _candidates(part, order, starts)
            for word in range(words.shape[1]):  # Most pairs differ too much in the first word already.
                near = np.bitwise_count(words[a, word] ^ other[b, word]) <= NEAR
                a, b = a[near], b[near]
            near = np.bitwise_count(words[a] ^ other[b]).sum(1, dtype=np.int32) <= NEAR
            a, b = a[near], b[near]
            near = (np.abs(colours[a] - other_colours[b]) <= NEAR_COLOUR).all(1)
            yield from zip((a[near] + start).tolist(), b[near].tolist(), strict=True)


def copies(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """For each of ``ours`` that is nearly the same as one of ``theirs``, that one; both map a name to a hash.

    Among several it is the one whose name is the first in alphabetical order.
    """
    if not ours or not theirs:
        return {}
    first = {theirs[name]: name for name in sorted(theirs, reverse=True)}  # Of equal hashes, the first name.
    mine, other = list(dict.fromkeys(ours.values())), list(first)
    found: dict[str, str] = {}
    for a, b in _pairs(mine, other):
        found[mine[a]] = min(found.get(mine[a], first[other[b]]), first[other[b]])
    return {name: found[value] for name, value in ours.items() if value in found}
