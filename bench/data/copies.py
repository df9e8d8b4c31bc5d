"""Copies of an image that were encoded again or resized, found by a perceptual hash.

The hash is that of the library imagehash: 256 signs of the lowest frequencies of a small greyscale copy. Among the
7,120 images of the miniature world no two different ones differ in fewer than 24 of them. Of copies encoded with JPEG
of quality 75, or resized to half or 1.5 times the side, at least 95 % differ in at most :data:`NEAR`. Copies of much
lower quality and crops are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data.decode import RGB

#: Signs along each side of the hash.
SIDE = 16
#: Two images whose hashes differ in at most this many of the 256 signs are copies.
NEAR = 20
#: Hashes compared at a time, to limit memory.
_BLOCK = 1 << 16

Bits = NDArray[np.uint8]


def perceptual_hash(rgb: RGB) -> str:
    """The hash of an image uint8 [H, W, 3]: 64 hexadecimal digits."""
    import imagehash

    return str(imagehash.phash(Image.fromarray(rgb), hash_size=SIDE))


def _bits(hashes: Sequence[str]) -> Bits:
    """Hashes as bits [N, 256]."""
    packed = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), SIDE * SIDE // 8)
    return np.unpackbits(packed, axis=1)


def _candidates(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of indices with equal values."""
    order = np.argsort(theirs, kind="stable")
    ends = theirs[order].searchsorted(ours, "right")
    counts = ends - theirs[order].searchsorted(ours, "left")
    first = np.repeat(np.arange(len(ours)), counts)
    steps = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first, order[np.repeat(ends - counts, counts) + steps]


def _pairs(ours: Bits, theirs: Bits) -> Iterator[tuple[int, int]]:
    """Indices of hashes that differ in at most :data:`NEAR` bits: then one of NEAR + 1 parts has no difference."""
    for part in np.array_split(np.arange(ours.shape[1]), NEAR + 1):
        weights = 1 << np.arange(len(part), dtype=np.int64)
        first, second = _candidates(ours[:, part] @ weights, theirs[:, part] @ weights)
        for start in range(0, len(first), _BLOCK):
            a, b = first[start : start + _BLOCK], second[start : start + _BLOCK]
            near = (ours[a] != theirs[b]).sum(1) <= NEAR
            yield from zip(a[near].tolist(), b[near].tolist(), strict=True)


def copies(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """For each of ``ours`` that is nearly the same as one of ``theirs``, that one; both map a name to a hash.

    Among several it is the one whose name is the first in alphabetical order.
    """
    mine, other = list(ours), list(theirs)
    found: dict[str, str] = {}
    if not mine or not other:
        return found
    for a, b in _pairs(_bits(list(ours.values())), _bits(list(theirs.values()))):
        found[mine[a]] = min(found.get(mine[a], other[b]), other[b])
    return found
