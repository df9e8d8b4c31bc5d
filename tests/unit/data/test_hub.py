"""Datasets in the Hub's formats, read from local copies: bytes are kept, and an interrupted download goes on."""

import io
import json
import tarfile

import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value

from bench.data import hub, hub_rows
from bench.data.hub import Source, Wanted
from bench.data.listed import Place
from bench.errors import UserError
from tests.conftest import picture
from tests.unit.data.test_manifest import Heard

TESTED = Wanted(("test",), {"train": None, "test": None})


def encoded(number):
    """A small image file: a JPEG if the number is even, as reals are, else a PNG."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(picture(number, 12, 10)).save(buffer, "PNG" if number % 2 else "JPEG")
    return buffer.getvalue()


FILES = [encoded(number) for number in range(12)]
GENERATORS = ["laion" if n % 2 == 0 else ("flux" if n < 6 else "sdxl") for n in range(12)]


def parquet(folder, split, kind):
    """A copy of a dataset with one parquet file, whose label is a word, a number or the name of a class."""
    labels = {"word": ["real", "fake"], "number": [0, 1], "class": [0, 1]}[kind]
    types = {"word": Value("string"), "number": Value("int64"), "class": ClassLabel(names=["real", "fake"])}
    features = {"image": Image(), "label": types[kind], "model": Value("string")}
    images = [{"bytes": data, "path": f"{n}.x"} for n, data in enumerate(FILES)]
    columns = {"image": images, "label": [labels[n % 2] for n in range(12)], "model": GENERATORS}
    folder.mkdir(parents=True, exist_ok=True)
    Dataset.from_dict(columns, Features(features)).to_parquet(str(folder / f"{split}-00000-of-00001.parquet"))
    return Source(str(folder))


def webdataset(folder):
    """A copy with one tar file of images and records."""
    with tarfile.open(folder / "test-000.tar", "w") as tar:
        for n, data in enumerate(FILES):
            record = json.dumps({"label": n % 2, "model": GENERATORS[n]}).encode()
            for name, content in ((f"{n:03d}.jpg", data), (f"{n:03d}.json", record)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return Source(str(folder))


def contents(tree):
    """The files of a tree, by place."""
    return {
        f"{split}/{label}/{generator}": sorted(
            path.read_bytes()
            for path in Place(split, label, generator).below(tree / "images").iterdir()
            if not path.name.startswith(".")
        )
        for split, label, generator in ((p.split, p.label, p.generator) for p in hub_rows.places(tree)[0])
    }


EXPECTED = {
    "test/0/laion": sorted(FILES[0::2]),
    "test/1/flux": sorted([FILES[1], FILES[3], FILES[5]]),
    "test/1/sdxl": sorted([FILES[7], FILES[9], FILES[11]]),
}


@pytest.mark.parametrize("kind", ["word", "number", "class", "webdataset"])
def test_every_form_gives_the_same_bytes(tmp_path, kind):
    source = webdataset(tmp_path) if kind == "webdataset" else parquet(tmp_path, "test", kind)
    tree, heard = tmp_path / "tree", Heard()
    tree.mkdir()
    assert hub_rows.read(source, "", TESTED, tree, heard) == {}
    assert contents(tree) == EXPECTED
    assert any("label=" in line and "--columns" in line for line in heard.lines)


def test_images_are_named_for_what_they_are(tmp_path):
    hub_rows.read(parquet(tmp_path / "copy", "test", "word"), "", TESTED, tmp_path, Heard())
    names = {path.suffix for path in Place("test", 0, "laion").below(tmp_path / "images").iterdir()}
    assert names == {".jpeg"}


def test_limits_and_rows_bound_what_is_kept(tmp_path):
    source = parquet(tmp_path / "copy", "test", "word")
    limited = Wanted(("test",), {"train": None, "test": 2})
    (tmp_path / "a").mkdir()
    assert hub_rows.read(source, "", limited, tmp_path / "a", Heard()) == {"beyond the limit": 6}
    assert {name: len(files) for name, files in contents(tmp_path / "a").items()} == dict.fromkeys(EXPECTED, 2)
    (tmp_path / "b").mkdir()
    hub_rows.read(source, "", Wanted(("test",), {"test": None}, rows=4), tmp_path / "b", Heard())
    assert {name: len(files) for name, files in contents(tmp_path / "b").items()} == {
        "test/0/laion": 2,
        "test/1/flux": 2,
    }


def test_an_interrupted_download_goes_on(tmp_path, monkeypatch):
    source = parquet(tmp_path / "copy", "test", "word")
    monkeypatch.setattr(hub_rows, "_EVERY", 4)
    take, taken = hub_rows._Reader.take, []

    def failing(self, number, *rest):
        if number == 6 and 6 not in taken:
            taken.append(number)
            raise OSError("the connection is gone")
        taken.append(number)
        take(self, number, *rest)

    monkeypatch.setattr(hub_rows._Reader, "take", failing)
    with pytest.raises(UserError, match="the connection is gone"):
        hub_rows.read(source, "", TESTED, tmp_path, Heard())
    hub_rows.read(source, "", TESTED, tmp_path, Heard())
    assert taken == [0, 1, 2, 3, 4, 5, 6, *range(4, 12)]
    assert contents(tmp_path) == EXPECTED


def test_a_training_split_trains_only_if_a_run_trains(tmp_path):
    source = parquet(tmp_path / "copy", "train", "word")
    parquet(tmp_path / "copy", "test", "word")
    for splits, expected in ((("test",), {"test"}), (("train", "test"), {"train", "test"})):
        tree = tmp_path / "-".join(splits)
        tree.mkdir()
        hub_rows.read(source, "", Wanted(splits, {}), tree, Heard())
        assert {place.split for place in hub_rows.places(tree)[0]} == expected


def test_a_column_of_splits_decides(tmp_path):
    features = Features({"image": Image(), "label": Value("int64"), "part": Value("string")})
    parts = ["train", "train", "test", "test", "other", "other"]
    columns = {"image": [{"bytes": f, "path": None} for f in FILES[:6]], "label": [0, 1] * 3, "part": parts}
    (tmp_path / "copy").mkdir()
    Dataset.from_dict(columns, features).to_parquet(str(tmp_path / "copy" / "data.parquet"))
    wanted = Wanted(("train", "test"), {}, columns={"split": "part"})
    left_out = hub_rows.read(Source(str(tmp_path / "copy")), "", wanted, tmp_path, Heard())
    assert left_out == {"of the split 'other'": 2}
    assert sorted(contents(tmp_path)) == ["test/0/fakes", "test/1/fakes", "train/0/fakes", "train/1/fakes"]


def test_one_column_of_classes_may_have_label_and_generator(tmp_path):
    features = Features({"image": Image(), "label": ClassLabel(names=["real", "flux", "sdxl"])})
    columns = {"image": [{"bytes": f, "path": None} for f in FILES[:3]], "label": [0, 1, 2]}
    (tmp_path / "copy").mkdir()
    Dataset.from_dict(columns, features).to_parquet(str(tmp_path / "copy" / "data.parquet"))
    source = Source(str(tmp_path / "copy"))
    with pytest.raises(UserError, match="neither real nor fake: flux"):
        hub_rows.read(source, "", TESTED, tmp_path, Heard())
    both = Wanted(("test",), {}, columns={"label": "label", "generator": "label"})
    (tmp_path / "tree").mkdir()
    hub_rows.read(source, "", both, tmp_path / "tree", Heard())
    assert sorted(contents(tmp_path / "tree")) == ["test/0/real-images", "test/1/flux", "test/1/sdxl"]


def test_rows_without_image_or_label_are_counted(tmp_path):
    features = Features({"image": Image(), "label": Value("string")})
    columns = {"image": [{"bytes": FILES[0], "path": None}, None], "label": [None, "fake"]}
    (tmp_path / "copy").mkdir()
    Dataset.from_dict(columns, features).to_parquet(str(tmp_path / "copy" / "data.parquet"))
    left_out = hub_rows.read(Source(str(tmp_path / "copy")), "", TESTED, tmp_path, Heard())
    assert left_out == {"no label": 1, "no image": 1}


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:a/b", Source("a/b")),
        ("hf:a/b:core@main", Source("a/b", "core", "main")),
        ("hf:a/b@0123", Source("a/b", "", "0123")),
    ],
)
def test_names_of_datasets(text, source):
    assert hub.parse(text) == source


@pytest.mark.parametrize("text", ["hf:one", "hf:a/b/c"])
def test_what_is_no_dataset(text):
    with pytest.raises(UserError, match="no dataset on the Hub"):
        hub.parse(text)


def test_a_changed_copy_has_another_key(tmp_path):
    source = parquet(tmp_path / "copy", "test", "word")
    before = hub.pinned(source)
    assert hub.pinned(source) == before
    (tmp_path / "copy" / "more.parquet").write_bytes(b"x")
    assert hub.pinned(source) != before
    keys = {
        hub.key_of(source, before, wanted)
        for wanted in (TESTED, Wanted(("test",), {"test": 5}), Wanted(("test",), {}, rows=5))
    }
    assert len(keys) == 3


def test_a_commit_is_taken_as_it_is():
    assert hub.pinned(Source("a/b", "", "0" * 40)) == "0" * 40


def test_check_refuses_names_of_classes_that_are_no_labels(tmp_path):
    features = Features({"image": Image(), "label": ClassLabel(names=["art", "other"])})
    (tmp_path / "copy").mkdir()
    columns = {"image": [{"bytes": FILES[0], "path": None}], "label": [0]}
    Dataset.from_dict(columns, features).to_parquet(str(tmp_path / "copy" / "data.parquet"))
    with pytest.raises(UserError, match="neither real nor fake: art, other"):
        hub.describe(Source(str(tmp_path / "copy")), "", {})


def test_images_of_a_row_may_be_in_columns_by_format(tmp_path):
    reader = hub_rows._Reader(tmp_path, hub_rows._State(), TESTED, {"image": "jpg", "label": "cls"}, [])
    rows = {"jpg": {"bytes": FILES[0]}, "cls": 0}, {"png": {"bytes": FILES[1]}, "jpg": None, "cls": 1}
    for number, row in enumerate(rows):
        reader.take(number, row, "test", "test")
    homes = [Place("test", label, "fakes").below(tmp_path / "images") for label in (0, 1)]
    assert [len(list(home.iterdir())) for home in homes] == [1, 1]
