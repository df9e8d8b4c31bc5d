"""Null generators: each kind makes the files that it says, and uses every photograph once."""

import io

import numpy as np
import pytest
from PIL import Image

from bench import discover
from bench.data import jpeg, nulls
from bench.errors import UserError
from bench.progress import Progress


@pytest.fixture
def photographs(tmp_path):
    rng, paths = np.random.default_rng(0), []
    for number in range(40):
        rgb = np.kron(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
        paths.append(tmp_path / "photos" / f"{number}.jpg")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(rgb).save(paths[-1], quality=96)
    return paths


def files(kind, photographs, home):
    assert nulls.make(kind, photographs, home, Progress()) == {}
    folders = discover.dataset("genimage").find(home / "genimage")["null_" + kind]
    return {
        (split, label): [path for folder in found for path in sorted(folder.iterdir())]
        for split, by_label in folders.items()
        for label, found in by_label.items()
    }


@pytest.mark.parametrize("kind", list(nulls.KINDS))
def test_every_photograph_is_in_one_class_and_one_split(kind, photographs, tmp_path):
    found = files(kind, photographs, tmp_path / "null")
    assert {key: len(paths) for key, paths in found.items()} == {
        ("test", 0): 6,
        ("test", 1): 6,
        ("train", 0): 14,
        ("train", 1): 14,
    }
    again = files(kind, photographs[::-1], tmp_path / "again")
    assert [p.read_bytes() for paths in found.values() for p in paths] == [
        p.read_bytes() for paths in again.values() for p in paths
    ]


#: Container, JPEG quality and size of each class; a photograph is 128 × 96 at quality 96, and smaller 87 × 65.
FACTS = {
    "same": (("PNG", 0, (87, 65)), ("PNG", 0, (87, 65))),
    "framing": (("JPEG", 96, (128, 96)), ("PNG", 0, (65, 65))),
    "codec": (("JPEG", 96, (87, 65)), ("PNG", 0, (87, 65))),
    "jpeg_fakes": (("JPEG", 96, (87, 65)), ("JPEG", 75, (87, 65))),
    "history": (("PNG", 0, (82, 62)), ("PNG", 0, (82, 62))),
    "border": (("JPEG", 96, (87, 65)), ("PNG", 0, (65, 65))),
}


@pytest.mark.parametrize("kind", list(nulls.KINDS))
def test_a_kind_differs_in_what_it_says_and_in_nothing_else_of_the_file(kind, photographs, tmp_path):
    found = files(kind, photographs, tmp_path / "null")
    for label, wanted in enumerate(FACTS[kind]):
        for path in found["train", label]:
            with Image.open(path) as image:
                assert (image.format, jpeg.quality(image), image.size) == wanted


def test_the_history_of_the_reals_is_in_their_pixels_alone(photographs):
    data = photographs[0].read_bytes()
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    small = np.asarray(Image.fromarray(rgb).resize((87, 65), Image.Resampling.LANCZOS))
    coded = jpeg.recompress(small, jpeg.settings(data))
    real, fake = (nulls.KINDS["history"][0](rgb, data, label)[1] for label in (0, 1))
    assert (np.asarray(Image.open(io.BytesIO(real))) == coded[3:, 5:]).all()
    assert (np.asarray(Image.open(io.BytesIO(fake))) == small[3:, 5:]).all()


def test_photographs_of_nearly_one_size_are_used(photographs, tmp_path):
    for name, size in (("small", (40, 30)), ("large", (400, 300)), ("near", (150, 120))):
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    others = [tmp_path / "small.png", tmp_path / "large.png", tmp_path / "near.png", broken]
    assert nulls.usable([*photographs, *others]) == [*photographs, tmp_path / "near.png"]


def test_a_photograph_that_cannot_be_read_is_counted(photographs, tmp_path):
    photographs[3].write_bytes(photographs[3].read_bytes()[:300])
    failed = nulls.make("codec", photographs, tmp_path / "null", Progress())
    assert sum(failed.values()) == 1


def test_the_key_changes_with_kind_and_photographs(photographs):
    several = (("codec", photographs), ("same", photographs), ("codec", photographs[1:]))
    keys = {nulls.key_of(kind, paths) for kind, paths in several}
    assert len(keys) == 3
    assert nulls.key_of("codec", photographs[::-1]) in keys


def test_an_unknown_kind_names_the_known():
    with pytest.raises(UserError, match="no kind of null 'frame'") as caught:
        nulls.check_kind("frame")
    assert "framing" in caught.value.context
