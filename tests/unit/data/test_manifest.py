"""A CSV file of images becomes folders of links that a dataset reads; nothing of it is lost without a word."""

import json
import os
import re

import pandas as pd
import pytest

from bench import discover
from bench.data import listed, manifest
from bench.data.files import list_images
from bench.errors import UserError
from bench.progress import Progress
from bench.types import FAKE, REAL


class Heard(Progress):
    """Keeps what it is told."""

    def __init__(self):
        self.lines = []

    def note(self, message):
        self.lines.append(message)

    warn = note


def made(folder, text, columns=None):
    """(name of the dataset, its subsets) of a file with this text; its images are empty files."""
    file = folder / "list.csv"
    file.write_text(text, encoding="utf-8")
    heard = Heard()
    for name in re.findall(r"data/[\w/.]+", text):
        folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(name).touch()
    rows = manifest.read(file, columns or {}, heard)
    name = manifest.lay_out(rows, folder / "tree", heard)
    return name, discover.dataset(name).find(folder / "tree" / name), heard.lines


def names(subsets, generator, split, label):
    """The files, with links resolved, that a subset has for a class, relative to the folder ``data``."""
    files = [f for home in subsets[generator][split][label] for f in list_images(home).files]
    return sorted(os.path.realpath(f).rpartition("/data/")[2] for f in files)


def test_photographs_of_other_sources_belong_to_every_generator(tmp_path):
    text = "path,label,generator\ndata/a.jpg,real,laion\ndata/b.jpg,REAL,flickr\ndata/c.png,fake,SD XL/1.0\n"
    text += "data/d.png,1,flux\ndata/e.jpg,0,flux\n"
    name, subsets, _ = made(tmp_path, text)
    assert name == "folder"
    assert set(subsets) == {"sd_xl_1.0", "flux"}
    assert names(subsets, "sd_xl_1.0", "test", REAL) == ["a.jpg", "b.jpg"]
    assert names(subsets, "sd_xl_1.0", "test", FAKE) == ["c.png"]
    assert names(subsets, "flux", "test", REAL) == ["e.jpg"]


def test_a_split_makes_a_training_set_and_other_splits_are_counted(tmp_path):
    text = "path,label,split\ndata/a.jpg,real,train\ndata/b.png,fake,train\n"
    text += "data/c.jpg,real,validation\ndata/d.png,fake,test\ndata/e.png,fake,held back\n"
    name, subsets, lines = made(tmp_path, text)
    assert name == "genimage"
    assert names(subsets, "fakes", "train", FAKE) == ["b.png"]
    assert names(subsets, "fakes", "test", REAL) == ["c.jpg"]
    assert names(subsets, "fakes", "test", FAKE) == ["d.png"]
    assert any("1 rows of the split 'held back' are not used" in line for line in lines)


def test_equal_names_stay_apart_and_equal_rows_count_once(tmp_path):
    text = "path,label\ndata/x/1.png,fake\ndata/y/1.png,fake\ndata/y/1.png,fake\ndata/1.jpg,real\n"
    _, subsets, lines = made(tmp_path, text)
    assert names(subsets, "fakes", "test", FAKE) == ["x/1.png", "y/1.png"]
    assert any("1 rows are there more than once" in line for line in lines)


def test_classes_are_found_by_name(tmp_path):
    text = "path,label,class\ndata/x/1.png,fake,dog\ndata/y/1.png,fake,cat\ndata/2.jpg,real,dog\n"
    name, _, _ = made(tmp_path, text)
    classes = json.loads((tmp_path / "tree" / name / "filename_to_folder.json").read_text())
    assert sorted(classes.values()) == ["cat", "dog", "dog"]
    assert len(classes) == 3


def test_one_column_may_have_label_and_generator(tmp_path):
    text = "file,who\ndata/a.jpg,real\ndata/b.png,flux\n"
    _, subsets, lines = made(tmp_path, text, {"label": "who", "generator": "who"})
    assert names(subsets, "flux", "test", FAKE) == ["b.png"]
    assert names(subsets, "flux", "test", REAL) == ["a.jpg"]
    assert "image=file, label=who, generator=who" in lines[0]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("label=is_real,real=1,fake=0", ("1", "0")),
        ("label=is_real,real=photo|Scan,fake=gan|diffusion", ("scan", "diffusion")),
        ("label=is_real,real=photo", ("photo", "fake")),
    ],
)
def test_words_of_labels_can_be_told_one_by_one(tmp_path, columns, words):
    text = f"path,is_real\ndata/a.jpg,{words[0]}\ndata/b.png,{words[1]}\n"
    _, subsets, _ = made(tmp_path, text, listed.parse_columns(columns))
    assert names(subsets, "fakes", "test", FAKE) == ["b.png"]
    assert names(subsets, "fakes", "test", REAL) == ["a.jpg"]


def test_a_word_that_the_table_does_not_have_is_told(tmp_path):
    text = "path,label\ndata/a.jpg,photo\ndata/b.png,gan\n"
    _, _, lines = made(tmp_path, text, listed.parse_columns("fake=gan|diffusion,real=photo"))
    assert any("--columns names words that no row has: diffusion" in line for line in lines)


def test_a_word_has_one_meaning():
    with pytest.raises(UserError, match="gan both real and fake"):
        listed.parse_columns("real=photo|Gan,fake=gan")


def test_a_word_that_is_told_the_other_way_round_leaves_no_usual_one(tmp_path):
    """Otherwise 0 and 1 would both be photographs."""
    with pytest.raises(UserError, match="neither real nor fake: 0"):
        made(tmp_path, "path,label\ndata/a.jpg,1\ndata/b.png,0\n", listed.parse_columns("real=1"))


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("path,verdict\na,real\n", "no column that is known as label", "--columns label=COLUMN"),
        ("path,label\na,perhaps\n", "neither real nor fake: perhaps", "0 or real"),
        ("path,label\na,real\n,fake\n", "line 3: the path is empty", "Delete"),
        ("path,label\ndata/a,real\n", "lists no fakes", "fake"),
        ("path,label\ndata/a,real\ndata/b,fake\ndata/a,fake\n", "lists 1 files both as real and as fake", "Delete"),
        ("path,label\nnone/a,real\nnone/b,fake\n", "None of the first 2 files", "slashes"),
        ("", "cannot be read", "UTF-8"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, problem, fix):
    with pytest.raises(UserError) as raised:
        made(tmp_path, text)
    assert problem in str(raised.value)
    assert fix in raised.value.fix


def test_the_key_depends_on_content_folder_and_columns(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "list.csv").write_text("path,label\n")
    keys = [manifest.key_of(tmp_path / f / "list.csv", c) for f in "ab" for c in ({}, {"label": "x"})]
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("text", "columns"), [(None, {}), ("label=is_fake, image=f", {"label": "is_fake", "image": "f"})]
)
def test_columns_of_the_command_line(text, columns):
    assert listed.parse_columns(text) == columns


@pytest.mark.parametrize("text", ["labels=x", "label"])
def test_a_kind_of_column_that_does_not_exist(text):
    with pytest.raises(UserError):
        listed.parse_columns(text)


@pytest.mark.parametrize(
    ("word", "split"),
    [("train", "train"), ("training", "train"), ("CompEval", "test"), ("validation", "test"), ("all", None)],
)
def test_words_for_splits(word, split):
    assert listed.split_in(word) == split


def test_many_rows_need_no_look_at_the_files(tmp_path):
    rows = pd.DataFrame({"path": [f"none/{n}.png" for n in range(20_500)], "label": [n % 2 for n in range(20_500)]})
    rows.to_csv(tmp_path / "list.csv", index=False)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "0.png").touch()
    table = manifest.read(tmp_path / "list.csv", {}, Progress())
    manifest.lay_out(table, tmp_path / "tree", Progress())
    fakes = list((tmp_path / "tree" / "folder" / "fakes" / "fake" / "fakes").iterdir())
    assert len(fakes) == 10_250
    assert all(path.is_symlink() for path in fakes)


@pytest.mark.parametrize("mark", [";", "\t", ","])
def test_separators_and_blanks_in_the_head(tmp_path, mark):
    text = f"path{mark} label \ndata/a.jpg{mark}real\ndata/b.png{mark}fake\n"
    _, subsets, _ = made(tmp_path, text)
    assert names(subsets, "fakes", "test", FAKE) == ["b.png"]


@pytest.mark.parametrize("name", ["real", "Fake", "nature", "train", "val", "test", "validation"])
def test_generators_that_are_called_like_classes_or_splits(tmp_path, name):
    text = f"path,label,generator\ndata/a.jpg,real,laion\ndata/b.png,fake,{name}\ndata/c.png,fake,flux\n"
    _, subsets, _ = made(tmp_path, text)
    assert set(subsets) == {"flux", f"{name.lower()}-images"}
    assert names(subsets, f"{name.lower()}-images", "test", FAKE) == ["b.png"]
    assert names(subsets, "flux", "test", REAL) == ["a.jpg"]


def test_long_names_are_cut_and_merged_ones_are_told(tmp_path):
    text = f"path,label,generator\ndata/a.jpg,real,\ndata/b.png,fake,{'x' * 300}\n"
    text += "data/c.png,fake,A/B\ndata/d.png,fake,a_b\n"
    _, subsets, lines = made(tmp_path, text)
    assert {len(name) for name in subsets} == {80, 3}
    assert any("'A/B', 'a_b' are read as one, a_b" in line for line in lines)


def test_a_column_that_says_one_for_photographs_is_refused(tmp_path):
    with pytest.raises(UserError, match="seems to say 1 for photographs"):
        made(tmp_path, "path,is_real\ndata/a.jpg,1\ndata/b.png,0\n", {"label": "is_real"})
