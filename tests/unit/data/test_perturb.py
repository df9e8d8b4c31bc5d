import io

import numpy as np
import pytest
from PIL import Image

from bench.data import perturb
from bench.errors import UserError
from bench.types import Slice
from tests.conftest import item, picture


def test_jpeg_is_one_encoding_at_the_quality_with_shared_chroma():
    part = perturb.perturbed("jpeg60", Slice("genimage", "adm", "test", (item(1, 0),)))
    rgb = picture(3, 40, 32)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=60, subsampling="4:2:0")
    assert np.array_equal(perturb.perform(part.image, rgb), np.asarray(Image.open(buffer).convert("RGB")))


WRONG = ["jpeg", "jpeg0", "jpeg101", "jpeg7.5", "blur", "blur0", "noise-1", "crop100", "permuted", "web2", ""]


@pytest.mark.parametrize("name", WRONG)
def test_other_words_are_refused(name):
    with pytest.raises(UserError, match=f"no perturbation '{name}'"):
        perturb.check_perturbation(name)


def done(name, rgb, identity="a"):
    part = perturb.perturbed(name, Slice("genimage", "adm", "test", (item(1, 0),)))
    return perturb.perform(part.image, rgb, identity)


@pytest.mark.parametrize(
    "name", ["jpeg30", "webp50", "blur1.5", "noise8", "resize50", "crop80", "screenshot90", "limit32", *perturb.CHAINS]
)
@pytest.mark.parametrize("size", [(64, 48), (33, 47), (9, 9)])
def test_the_shape_stays_and_the_same_image_gives_the_same(name, size):
    rgb = picture(3, *size)
    first = done(name, rgb)
    assert (first.shape, first.dtype) == (rgb.shape, np.uint8)
    assert np.array_equal(first, done(name, rgb))


def test_what_is_random_follows_the_image():
    rgb = picture(3, 64, 48)
    for name in ("noise5", "crop50"):
        assert not np.array_equal(done(name, rgb, "a"), done(name, rgb, "b"))
    for name in ("blur2", "web", "webp80"):
        assert np.array_equal(done(name, rgb, "a"), done(name, rgb, "b"))


def test_a_blur_is_opencvs():
    cv2 = pytest.importorskip("cv2")
    rgb = picture(4, 65, 48)
    want = cv2.GaussianBlur(rgb.astype(np.float64), (0, 0), 1.5, borderType=cv2.BORDER_REFLECT)
    assert np.abs(done("blur1.5", rgb).astype(float) - want).max() <= 1.0


def test_noise_has_its_standard_deviation():
    grey = np.full((200, 200, 3), 128, np.uint8)
    found = done("noise10", grey).astype(float) - 128
    assert found.std() == pytest.approx(10, rel=0.02)
    assert found.mean() == pytest.approx(0, abs=0.1)


def test_a_webp_and_a_resize_are_pillows():
    rgb = picture(5, 60, 40)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "WEBP", quality=50, method=4)
    assert np.array_equal(done("webp50", rgb), np.asarray(Image.open(buffer).convert("RGB")))
    small = Image.fromarray(rgb).resize((30, 20), Image.Resampling.BICUBIC)
    assert np.array_equal(done("resize50", rgb), np.asarray(small.resize((60, 40), Image.Resampling.BICUBIC)))


def test_a_crop_is_an_enlarged_window():
    rgb = picture(6, 40, 30)
    windows = [
        np.asarray(Image.fromarray(rgb[top : top + 15, left : left + 20]).resize((40, 30), Image.Resampling.BICUBIC))
        for top in range(16)
        for left in range(21)
    ]
    assert any(np.array_equal(done("crop50", rgb), window) for window in windows)


def test_a_chain_is_its_steps_and_small_images_are_not_limited():
    rgb = picture(7, 64, 48)
    assert np.array_equal(done("web", rgb), done("jpeg60", rgb))
    assert np.array_equal(done("shared", rgb), done("jpeg40", done("jpeg60", rgb)))
    large = picture(8, 900, 600)
    half = done("limit450", large)
    assert np.array_equal(half, done("resize50", large))


def test_the_recipe_of_jpeg_is_what_it_was():
    part = perturb.perturbed("jpeg75", Slice("genimage", "adm", "test", (item(1, 0),)))
    assert (part.image.engine, dict(part.image.params)) == ("jpeg", {"quality": 75})
