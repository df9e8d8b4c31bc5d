"""Headers give the facts that a full decode gives, in order, by one process or by several."""

import numpy as np
import pytest
from PIL import Image

from bench.data import headers
from bench.data.headers import Header
from bench.data.index import examine
from bench.progress import Progress
from tests.conftest import picture


def saved(folder, name, **options):
    path = folder / name
    Image.fromarray(picture(3, 40, 30)).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options", "subsampling", "coding"),
    [
        ("a.jpg", {"quality": 75}, "4:2:0", "baseline"),
        ("a.jpeg", {"quality": 96, "subsampling": 0}, "4:4:4", "baseline"),
        ("a.jpg", {"quality": 30, "subsampling": 1, "progressive": True}, "4:2:2", "progressive"),
        ("a.png", {}, "", ""),
        ("a.webp", {"quality": 50}, "", ""),
        ("a.bmp", {}, "", ""),
    ],
)
def test_facts_are_those_of_a_full_decode(tmp_path, name, options, subsampling, coding):
    path = saved(tmp_path, name, **options)
    found, full = headers.header(path), examine(path)
    for fact in ("container", "quality", "width", "height", "bytes"):
        assert getattr(found, fact) == full[fact]
    assert (found.subsampling, found.coding, found.mode) == (subsampling, coding, "RGB")


def test_profiles_and_cameras_are_seen(tmp_path):
    from PIL import ImageCms

    exif = Image.Exif()
    exif[0x010F] = "Canon"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = headers.header(saved(tmp_path, "a.jpg", exif=exif, icc_profile=profile))
    assert found.profile
    assert found.camera
    plain = headers.header(saved(tmp_path, "b.jpg"))
    assert not plain.profile
    assert not plain.camera


def test_what_is_no_image_has_no_container(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    assert headers.header(tmp_path / "a.png") == headers.header(tmp_path / "none.png") == Header()


def test_many_files_are_read_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(headers, "_FEW", 3)
    monkeypatch.setattr(headers, "_CHUNK", 2)
    paths = []
    for number in range(7):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(np.zeros((number + 1, 5, 3), np.uint8)).save(paths[-1])
    assert [found.height for found in headers.read(paths, Progress())] == list(range(1, 8))
