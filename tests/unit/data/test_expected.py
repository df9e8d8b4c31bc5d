"""A copy of a dataset beside what was published: counts, broken files, and the list of files that some copies have."""

from pathlib import Path

import pytest

from bench import discover
from bench.data.expected import compare
from bench.types import FAKE, REAL

GENIMAGE = discover.dataset("genimage")


def images(prefix, count):
    return [Path(f"{prefix}{number}.png") for number in range(count)]


def whole(dataset, name):
    """All images of one subset, as many as were published."""
    return {place: images("a", count) for place, count in dataset.expected.items() if place[0] == name}


def test_a_complete_copy_says_so(tmp_path):
    files = {place: images("a", count) for place, count in discover.dataset("chameleon").expected.items()}
    (told,) = compare(discover.dataset("chameleon"), tmp_path, files)
    assert told.startswith("every class has the published number")
    assert compare(discover.dataset("wildrf"), tmp_path, {}) == []


def test_other_counts_absent_subsets_and_broken_files_are_named(tmp_path):
    files = whole(GENIMAGE, "biggan") | {("biggan", "train", REAL): images("r", 7)}
    files["biggan", "test", FAKE] = images("a", 5_999)
    files["biggan", "test", REAL] = images("a", 6_002)
    files["biggan", "train", FAKE][-1] = Path("116_biggan_00081.png")
    absent, *counts, broken = compare(GENIMAGE, tmp_path, files)
    assert absent == "subsets that are not there: midjourney, sdv14, sdv15, adm, glide, wukong, vqdm"
    assert counts == [
        "biggan test photographs: 6002 images, more than 6000 published",
        "biggan test fakes: 5999 images, of 6000 published",
    ]
    assert broken == "known to be broken, and left out by every run: 116_biggan_00081.png"


def test_the_published_counts_add_up_to_the_papers_totals():
    total = {label: sum(n for (_, _, of), n in GENIMAGE.expected.items() if of == label) for label in (REAL, FAKE)}
    assert total == {REAL: 50_000, FAKE: 1_350_000}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("GenImage/BigGAN/imagenet_ai_0419_biggan/val/ai/1.png", (("biggan", "test", FAKE), "1.png")),
        ("stable_diffusion_v_1_5/train/nature/n01_5.JPEG", (("sdv15", "train", REAL), "n01_5.JPEG")),
        ("ADM\\imagenet_ai_0508_adm\\train\\ai\\0.PNG", (("adm", "train", FAKE), "0.PNG")),
        ("else/train/ai/0.png", None),
        ("ADM/train/0.png", None),
        ("0.png", None),
    ],
)
def test_paths_of_the_list_belong_to_classes(path, place):
    assert GENIMAGE.place_of(path) == place


def test_the_list_of_files_names_what_is_missing_and_what_it_lacks(tmp_path):
    names = {"val/ai": ["1.png", "2.png"], "val/nature": ["r.JPEG"], "train/ai": ["3.png"]}
    rows = [f"BigGAN/imagenet_ai_0419_biggan/{kind}/{name},biggan" for kind, of in names.items() for name in of]
    rows += [f"VQDM/imagenet_ai_0419_vqdm/val/ai/{number}.png,vqdm" for number in range(4)]  # Not in this copy.
    (tmp_path / "metadata.csv").write_text("\n".join(["path,generator", *rows]))
    files = {("biggan", "test", FAKE): [Path("2.png"), Path("9.png")], ("biggan", "test", REAL): [Path("r.JPEG")]}
    told = compare(GENIMAGE, tmp_path, files)
    assert told[-3:] == [
        "biggan test fakes: 1 of metadata.csv missing, 1.png …",
        "biggan train fakes: 1 of metadata.csv missing, 3.png …",
        "biggan test fakes: 1 images that metadata.csv does not list",
    ]


@pytest.mark.parametrize(
    ("text", "told"), [("file,generator\nx,y\n", "cannot be read (KeyError: 'path')"), ("", "lists no file")]
)
def test_a_list_that_is_none_is_one_line_and_the_rest_is_told(tmp_path, text, told):
    (tmp_path / "metadata.csv").write_text(text)
    lines = compare(GENIMAGE, tmp_path, whole(GENIMAGE, "biggan"))
    assert lines[0].startswith("subsets that are not there")
    assert told in lines[-1]
