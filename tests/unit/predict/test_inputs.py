"""Images by file, folder, pattern and table; labels from tables and from folders of classes."""

import pytest

from bench.errors import UserError
from bench.predict import inputs
from tests.unit.data.test_manifest import Heard


def touched(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


def test_files_folders_and_patterns_each_once(tmp_path):
    a, b, c = touched(tmp_path, "a.png", "in/b.jpg", "in/c.webp")
    found = inputs.read([a, tmp_path / "in", str(tmp_path / "in" / "*.jpg"), a], Heard())
    assert found.paths == (a, b, c)
    assert found.labels == {}


def test_folders_of_classes_give_labels_only_if_all_images_are_in_one(tmp_path):
    real, fake = touched(tmp_path, "set/x/0_real/1.jpg", "set/x/1_fake/1.png")
    heard = Heard()
    assert inputs.read([tmp_path / "set"], heard).labels == {real: 0, fake: 1}
    assert any("labels are those of the folders" in line for line in heard.lines)
    touched(tmp_path, "set/loose.png")
    assert inputs.read([tmp_path / "set"], Heard()).labels == {}


def test_a_folder_that_is_itself_called_real_labels_nothing(tmp_path):
    touched(tmp_path, "real/1.jpg")
    assert inputs.read([tmp_path / "real"], Heard()).labels == {}


def test_a_table_gives_paths_and_labels(tmp_path):
    a, b = touched(tmp_path, "a.png", "b.png")
    (tmp_path / "list.csv").write_text(f"path,label\na.png,fake\n{b},\n")
    found = inputs.read([tmp_path / "list.csv"], Heard())
    assert found.paths == (a, b)
    assert found.labels == {a: 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [("name\na\n", "no column of images"), ("path,label\na,maybe\n", "neither real nor fake"), ("", "cannot be read")],
)
def test_tables_that_cannot_be_used(tmp_path, text, problem):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UserError, match=problem):
        inputs.read([tmp_path / "list.csv"], Heard())


def test_names_that_stand_for_nothing_are_told(tmp_path):
    (a,) = touched(tmp_path, "a.png")
    with pytest.raises(UserError, match=r"none\.png"):
        inputs.read([a, tmp_path / "none.png"], Heard())
    with pytest.raises(UserError, match="No image"):
        inputs.read([tmp_path / "empty*.png"], Heard())


def test_photographs_are_not_the_fakes_beside_them(tmp_path):
    real, _ = touched(tmp_path, "set/real/1.jpg", "set/fake/1.png")
    heard = Heard()
    assert inputs.photographs(tmp_path / "set", heard) == (real,)
    assert any("1 images in folders of fakes" in line for line in heard.lines)
    assert inputs.photographs(tmp_path / "set" / "real", Heard()) == (real,)


def test_a_file_with_two_labels_is_refused(tmp_path):
    touched(tmp_path, "a.png")
    (tmp_path / "list.csv").write_text("path,label\na.png,fake\na.png,real\n")
    with pytest.raises(UserError, match="both as real and as fake"):
        inputs.read([tmp_path / "list.csv"], Heard())
