"""Copies that were encoded again or resized are found, and nothing else is; the search is checked against all pairs."""

import io

import numpy as np
import pytest
from PIL import Image

from bench.data.copies import NEAR, copies, perceptual_hash
from tests.conftest import scene


def coded(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize(
    "change",
    [
        lambda image: coded(image, 75),
        lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS),
        lambda image: image.resize((image.width * 3 // 2, image.height * 3 // 2), Image.Resampling.BILINEAR),
    ],
)
def test_a_copy_is_found_whatever_its_size_and_encoding(change):
    images = {f"{seed}": Image.fromarray(scene(seed)) for seed in range(20)}
    hashes = {name: perceptual_hash(np.asarray(image)) for name, image in images.items()}
    changed = {f"copy of {name}": perceptual_hash(np.asarray(change(image))) for name, image in images.items()}
    assert copies(changed, hashes) == {f"copy of {name}": name for name in images}
    assert copies(dict(list(hashes.items())[:10]), dict(list(hashes.items())[10:])) == {}


def test_the_search_finds_what_a_comparison_of_all_pairs_finds():
    rng = np.random.default_rng(0)
    theirs = rng.integers(0, 2, (40, 256))
    ours = theirs[rng.integers(0, 40, 300)].copy()
    for row, flips in zip(ours, rng.integers(0, 2 * NEAR, 300), strict=True):
        row[rng.choice(256, flips, replace=False)] ^= 1

    def named(bits, prefix):
        return {
            f"{prefix}{i:03d}": f"{np.packbits(row.astype(np.uint8)).tobytes().hex()}808080"
            for i, row in enumerate(bits)
        }

    distances = (ours[:, None] != theirs[None]).sum(2)
    expected = {f"a{i:03d}": f"b{row.argmin():03d}" for i, row in enumerate(distances) if row.min() <= NEAR}
    assert 100 < len(expected) < 250
    assert copies(named(ours, "a"), named(theirs, "b")) == expected
    reverse = {
        f"b{i:03d}": f"a{np.flatnonzero(d <= NEAR)[0]:03d}" for i, d in enumerate(distances.T) if d.min() <= NEAR
    }
    assert copies(named(theirs, "b"), named(ours, "a")) == reverse  # The first in alphabetical order.


def test_nothing_is_compared_with_nothing():
    assert copies({}, {"a": "0" * 70}) == copies({"a": "0" * 70}, {}) == {}


def test_plain_images_and_other_colours_are_no_copies():
    plain = [perceptual_hash(np.full((40, 60, 3), colour, np.uint8)) for colour in ((0, 0, 0), (200, 30, 30))]
    assert plain == ["", ""]
    shape = scene(0) < 128
    hashes = {}
    for name, colour in {"red": (200, 30, 30), "blue": (30, 30, 200)}.items():
        hashes[name] = perceptual_hash(np.where(shape[..., :1], np.uint8(255), np.uint8(colour)))
    assert copies({"red": hashes["red"]}, {"blue": hashes["blue"]}) == {}
    assert copies({"red": hashes["red"]}, {"again": hashes["red"], "also": hashes["red"]}) == {"red": "again"}
