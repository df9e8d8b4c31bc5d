"""The decoder on arbitrary bytes: it returns pixels or raises ImageError. `make fuzz` runs longer."""

import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from bench.data import jpeg
from bench.data.decode import FORMATS, HEAD, decode, encode_png, kind_of
from bench.errors import ImageError
from tests.conftest import picture

#: Mutants of each container's file.
MUTANTS = int(os.environ.get("FUZZ_MUTANTS", "150"))
KINDS = [kind for kind in FORMATS if kind != "DIB" and (kind != "AVIF" or features.check("avif"))]


def encoded(kind, size=(21, 17), mode="RGB", **options):
    image, buffer = Image.fromarray(picture(1, *size)).convert(mode), io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation=6):
    """A JPEG's EXIF block as cameras write it: orientation, resolutions, a maker's note, a thumbnail's offset."""
    block = Image.Exif()
    block[0x0112], block[0x011A], block[0x011B] = orientation, 72.0, 72.0
    block[0x010F], block[0x927C] = "maker", b"\0\1\2\3" * 8
    return block.tobytes()


def samples(kind):
    """Files of a container: plain, another mode, with metadata."""
    found = [encoded(kind)]
    if kind in ("PNG", "TIFF", "GIF", "WEBP", "JPEG2000"):
        found.append(encoded(kind, mode="P" if kind in ("PNG", "GIF", "TIFF") else "RGBA"))
    if kind in ("JPEG", "PNG", "WEBP", "AVIF"):
        found.append(encoded(kind, exif=exif()))
    if kind == "TIFF":
        found.append(encoded(kind, compression="tiff_lzw"))
    if kind == "JPEG":
        found.append(encoded(kind, progressive=True, subsampling="4:2:0"))
    return found


def mutant(data, rng):
    """One to eight changes: bytes changed, cut off, taken out, doubled, or numbers made extreme."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if not data:
            break
        kind, at = int(rng.integers(6)), int(rng.integers(len(data)))
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + int(rng.integers(1, 16))]
        elif kind == 4:
            data[at:at] = data[at : at + int(rng.integers(1, 16))]
        else:
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\xff\xff"])
    return bytes(data)


def read(data):
    """Pixels, or None for an image that cannot be read; anything else that is raised fails the test."""
    try:
        found = decode(data)
    except ImageError as error:
        if "0x" in error.problem:
            pytest.fail(f"an address, which would differ at every run: {error.problem}")
        return None
    assert found.rgb.dtype == np.uint8
    assert found.rgb.ndim == 3
    assert found.rgb.shape[2] == 3
    assert found.rgb.flags.c_contiguous
    jpeg.settings(data)
    return found.rgb


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_gives_pixels_or_an_image_error(kind):
    rng = np.random.default_rng([20261126, KINDS.index(kind)])
    files = samples(kind)
    assert all(read(data) is not None for data in files)
    outcomes = [read(mutant(files[n % len(files)], rng)) is None for n in range(MUTANTS)]
    assert any(outcomes), "no mutant was damaged enough to say anything"


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=max(100, MUTANTS), deadline=None, derandomize=True)
@given(
    st.sampled_from([b"", *(encoded(kind)[:40] for kind in KINDS), b"%!PS-Adobe-3.0 EPSF\n"]), st.binary(max_size=400)
)
def test_any_bytes_give_pixels_or_an_image_error(head, rest):
    read(head + rest)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["RGB", "L", "RGBA", "P", "1", "LA", "I;16"]))
def test_every_mode_and_size_of_a_sound_png_is_read_as_rgb(width, height, mode):
    rgb = picture(2, width, height)
    image = (
        Image.fromarray(rgb[..., 0].astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(rgb).convert(mode)
    )
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert decode(buffer.getvalue()).rgb.shape == (height, width, 3)
    assert (decode(encode_png(rgb)).rgb == rgb).all()


def broken_exif(resolution):
    """A JPEG with orientation 6 whose XResolution is the signed rational ``resolution``, as some cameras write it."""
    entries = (
        (0x0112, 3, 1, (6).to_bytes(2, "little") + b"\0\0"),
        (0x011A, 10, 1, (8 + 2 + 2 * 12 + 4).to_bytes(4, "little")),
    )
    ifd = len(entries).to_bytes(2, "little")
    for tag, kind, count, value in entries:
        ifd += tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + count.to_bytes(4, "little") + value
    rational = b"".join(number.to_bytes(4, "little", signed=True) for number in resolution)
    return b"Exif\0\0II*\0\x08\0\0\0" + ifd + b"\0\0\0\0" + rational


@pytest.mark.parametrize("resolution", [(-72, 1), (72, 1), (0, 0), (1, 0), (-(2**31), -1)])
def test_the_orientation_is_applied_whatever_the_rest_of_exif_says(resolution):
    upright = decode(encoded("JPEG", (64, 32), quality=95)).rgb
    turned = decode(encoded("JPEG", (64, 32), quality=95, exif=broken_exif(resolution))).rgb
    assert (turned == np.rot90(upright, -1)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_pillows(orientation):
    from PIL import ImageOps

    data = encoded("JPEG", (33, 21), exif=exif(orientation))
    with Image.open(io.BytesIO(data)) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image))
    assert (decode(data).rgb == wanted).all()


def test_an_orientation_that_is_none_leaves_the_image():
    assert decode(encoded("JPEG", (33, 21), exif=exif(9))).rgb.shape == (21, 33, 3)


def test_heic_is_called_heic_whatever_its_name():
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(ImageError, match="HEIC"):
        decode(heic)


def test_postscript_is_not_run():
    with pytest.raises(ImageError):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_bytes_identify_the_container(kind):
    assert kind_of(encoded(kind)[:HEAD]) == kind.lower()


@pytest.mark.parametrize("data", [b"", b"GIF", b"hello, world", b"BLAH" * 20, b"P6", b"<html>", b"\xff\xd8"])
def test_other_bytes_have_no_container(data):
    assert kind_of(data[:HEAD]) == ""


def test_a_jpeg_with_further_pictures_is_a_jpeg():
    frames, buffer = [Image.fromarray(picture(n, 32, 24)) for n in (0, 1)], io.BytesIO()
    frames[0].save(buffer, "MPO", save_all=True, append_images=frames[1:])
    found = decode(buffer.getvalue())
    assert found.container == "jpeg"
    assert found.quality > 0
