import io

import numpy as np
import pytest
from PIL import Image

from bench.data import jpeg
from bench.data.decode import decode, encode_png, file_id, image_id
from bench.errors import ImageError
from tests.conftest import picture


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_png_and_its_bmp_copy_share_image_id_and_not_file_id():
    image = Image.fromarray(picture(1))
    png, bmp = encoded(image, "PNG"), encoded(image, "BMP")
    assert image_id(decode(png).rgb) == image_id(decode(bmp).rgb)
    assert file_id(png) != file_id(bmp)


def test_image_id_tells_shapes_apart():
    flat = np.zeros((2, 8, 3), np.uint8)
    assert image_id(flat) != image_id(flat.reshape(4, 4, 3))


def test_alpha_is_dropped_and_grey_is_repeated():
    rgba = np.dstack([picture(2), np.full((64, 64), 7, np.uint8)])
    assert (decode(encoded(Image.fromarray(rgba), "PNG")).rgb == picture(2)).all()
    grey = picture(2)[..., 0]
    assert (decode(encoded(Image.fromarray(grey), "PNG")).rgb == grey[..., None]).all()


def test_sixteen_bits_keep_the_upper_byte():
    wide = (np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64)
    assert (decode(encoded(Image.fromarray(wide), "PNG")).rgb[..., 0] == wide >> 8).all()


def test_a_dark_image_of_sixteen_bits_is_dark():
    """What an image holds does not decide how it is read."""
    dark = np.full((8, 8), 200, np.uint16)
    brighter = dark.copy()
    brighter[0, 0] = 256
    for wide in (dark, brighter):
        assert (decode(encoded(Image.fromarray(wide), "PNG")).rgb[..., 0] == wide >> 8).all()


@pytest.mark.parametrize("wide", [np.full((8, 8), 0.7, np.float32), np.full((8, 8), 200, np.int32)])
def test_samples_of_more_than_16_bits_are_refused(wide):
    with pytest.raises(ImageError, match="value of white is unknown"):
        decode(encoded(Image.fromarray(wide), "TIFF"))


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(picture(3, 64, 32)), "JPEG", exif=exif)
    assert decode(data).rgb.shape == (64, 32, 3)


@pytest.mark.parametrize("data", [b"", b"not an image", encode_png(picture(4))[:200]])
def test_broken_bytes_are_an_image_error_with_a_stable_reason(data):
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert "0x" not in str(caught.value)


def test_png_is_lossless():
    assert (decode(encode_png(picture(5, 40, 24))).rgb == picture(5, 40, 24)).all()


@pytest.mark.parametrize("quality", [30, 75, 80, 90, 95, 96, 100])
def test_jpeg_quality_is_read_from_the_tables(quality):
    assert decode(encoded(Image.fromarray(picture(6)), "JPEG", quality=quality)).quality == quality


def test_a_png_has_quality_zero_and_no_settings():
    assert decode(encode_png(picture(6))).quality == 0
    assert jpeg.settings(encode_png(picture(6))) is None


def test_recompressing_with_a_files_settings_gives_its_tables_and_sampling():
    source = encoded(Image.fromarray(picture(7)), "JPEG", quality=83, subsampling="4:2:0")
    options = jpeg.settings(source)
    assert options["subsampling"] == 2
    direct = decode(encoded(Image.fromarray(picture(8)), "JPEG", quality=83, subsampling="4:2:0")).rgb
    assert (jpeg.recompress(picture(8), options) == direct).all()
