"""Listing of a folder: links, loops, suffixes, and the kinds of all other entries."""

import os
from pathlib import Path

import pytest
from PIL import Image

from bench.data.decode import read
from bench.data.files import below, describe, has_image, list_images, printable, subfolders
from bench.errors import ImageError
from tests.conftest import picture


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def save(path, kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(len(path.name), 16, 16)).save(path, kind)
    return path


def names(folder):
    return [path.relative_to(folder).as_posix() for path in list_images(folder).files]


def test_every_suffix_that_can_be_read_is_listed_in_any_case(folder):
    for name in ("a.png", "b.PNG", "c.JPEG", "d.jfif", "e.avif", "f.jp2", "g.HEIC"):
        save(folder / name)
    assert names(folder) == ["a.png", "b.PNG", "c.JPEG", "d.jfif", "e.avif", "f.jp2", "g.HEIC"]


def test_files_without_a_known_suffix_are_looked_into(folder):
    save(folder / "image")
    save(folder / "2013-08-22 00:47:11.fake")
    (folder / "README").write_text("no image")
    (folder / "list.txt").write_text("no image")
    (folder / "list2.TXT").write_text("no image")
    listed = list_images(folder)
    assert [path.name for path in listed.files] == ["2013-08-22 00:47:11.fake", "image"]
    assert listed.passed == {".txt file": 2, "unrecognised file": 1}
    assert describe(listed.passed) == "2 .txt files, 1 unrecognised file"


def test_linked_files_and_folders_are_entered(folder, tmp_path):
    outside = tmp_path / "outside"
    save(outside / "deep" / "a.png")
    save(tmp_path / "b.png")
    (folder / "linked").symlink_to(outside)
    (folder / "b.png").symlink_to(tmp_path / "b.png")
    assert names(folder) == ["b.png", "linked/deep/a.png"]


def test_a_loop_is_not_followed_and_is_named(folder):
    save(folder / "sub" / "a.png")
    (folder / "sub" / "up").symlink_to(folder)
    listed = list_images(folder)
    assert [path.name for path in listed.files] == ["a.png"]
    assert list(listed.passed) == [f"looping link ({folder / 'sub' / 'up'})"]
    assert below(folder, "sub") == [folder / "sub"]


def test_broken_links_are_listed_if_they_have_an_image_suffix_and_counted_otherwise(folder):
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "gone").symlink_to("nowhere")
    listed = list_images(folder)
    assert [path.name for path in listed.files] == ["gone.png"]
    assert listed.passed == {"broken link": 1}


def test_hidden_and_resource_files_are_counted(folder):
    save(folder / "__MACOSX" / "a.png")
    save(folder / ".cache" / "a.png")
    (folder / "._a.png").write_bytes(b"resource fork")
    listed = list_images(folder)
    assert listed.files == ()
    assert listed.passed == {"hidden folder": 2, "hidden file": 1}
    assert not has_image(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_cannot_be_entered_is_named(folder):
    (folder / "locked").mkdir()
    (folder / "locked").chmod(0)
    assert any("unreadable folder" in kind for kind in list_images(folder).passed)


def test_subfolders_are_sorted_and_leave_hidden_ones_out(folder):
    for name in ("b", "a", ".git", "__MACOSX"):
        (folder / name).mkdir()
    (folder / "file").write_text("")
    assert [path.name for path in subfolders(folder)] == ["a", "b"]
    assert subfolders(folder / "none") == []


@pytest.mark.parametrize("target", ["..", "../..", "."])
def test_a_link_to_a_folder_above_is_a_loop_and_brings_no_other_class(tmp_path, target):
    save(tmp_path / "train" / "ai" / "a.png")
    save(tmp_path / "train" / "nature" / "b.png")
    (tmp_path / "train" / "ai" / "loop").symlink_to(target)
    listed = list_images(tmp_path / "train" / "ai")
    assert [path.name for path in listed.files] == ["a.png"]
    assert list(listed.passed) == [f"looping link ({tmp_path / 'train' / 'ai' / 'loop'})"]


@pytest.mark.parametrize("name", ["pipe.jpg", "pipe"])
def test_a_pipe_is_not_opened(folder, name):
    os.mkfifo(folder / name)
    assert list_images(folder).passed == {"special file": 1}
    assert not has_image(folder)
    with pytest.raises(ImageError, match="not a regular file"):
        read(folder / name)


def test_a_name_is_one_line_of_text(tmp_path):
    odd = tmp_path / "new\nline\x1b[31m é.jpg"
    assert printable(odd) == f"{tmp_path}/new\\nline\\x1b[31m é.jpg"
    assert printable(Path(os.fsdecode(b"caf\xe9"))) == "caf\\xe9"
