"""Engines that give one number without a network, against numpy and scipy written out."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cosine as distance

from bench.artefacts.engine import Request
from bench.artefacts.engines import (
    adm_inversion,
    clip_image,
    cosine,
    ddim_inversion,
    latent_error,
    map_mean,
    pixel_error,
    sd_img2img,
    sd_inpaint,
    txt2img,
)
from bench.artefacts.engines.blip import recipe as blip
from bench.artefacts.geometry import center_crop_arr, fit_long_side, limit_sides
from tests.conftest import picture


def made(module, recipe, rgb, **inputs):
    """The number that an engine gives of one image."""
    engine = module.ENGINE()
    engine.load(recipe, None, "cpu", None)
    request = Request("0" * 32, rgb, inputs)
    return engine.run([request], [engine.view(request)])[0]


def test_mean_absolute_error_is_that_of_the_cut_image():
    rgb, other = picture(1, 90, 70, 8.0), picture(2, 32, 32, 8.0)
    want = np.mean([abs(int(a) - int(b)) for a, b in zip(center_crop_arr(rgb, 32).flat, other.flat, strict=True)]) / 255
    recipe = pixel_error.recipe(ddim_inversion.recipe(2, 32))
    assert made(pixel_error, recipe, rgb, reconstruction=other) == pytest.approx(want)
    assert recipe.params == pixel_error.recipe(adm_inversion.recipe(2, 32)).params


def test_psnr_is_the_formula():
    rgb, other = picture(1, 64, 48, 8.0), picture(2, 64, 48, 8.0)
    square = sum((int(a) - int(b)) ** 2 for a, b in zip(rgb.flat, other.flat, strict=True)) / rgb.size
    recipe = pixel_error.recipe(sd_img2img.recipe(None, long_side=64), "psnr")
    found = made(pixel_error, recipe, rgb, reconstruction=other)
    assert found == pytest.approx(20 * math.log10(255) - 10 * math.log10(square))
    assert made(pixel_error, recipe, rgb, reconstruction=rgb) == pixel_error.EQUAL_DB
    almost = rgb.copy()
    almost[0, 0, 0] ^= 1
    assert made(pixel_error, recipe, rgb, reconstruction=almost) < pixel_error.EQUAL_DB


def test_an_image_is_cut_as_its_reconstruction_was():
    rgb = picture(1, 90, 70)
    geometry = pixel_error.geometry(sd_img2img.recipe(None, long_side=48))
    assert np.array_equal(pixel_error.beside(rgb, (32, 48), geometry), fit_long_side(rgb, 48, 8))
    geometry = pixel_error.geometry(sd_inpaint.recipe(max_size=64))
    assert np.array_equal(pixel_error.beside(rgb, (64, 64), geometry), limit_sides(rgb, 64))
    assert pixel_error.geometry(txt2img.recipe(blip(), size=40)) == {}
    assert pixel_error.beside(rgb, (40, 40), {}).shape == (40, 40, 3)


def test_the_mean_of_a_map_and_the_cosine_of_embeddings():
    values = np.random.default_rng(0).standard_normal((4, 8, 8)).astype(np.float32)
    recipe = map_mean.recipe(latent_error.recipe())
    assert made(map_mean, recipe, picture(1), values=values) == pytest.approx(math.fsum(values.flat) / values.size)
    one, other = values[0].ravel(), values[1].ravel()
    recipe = cosine.recipe(clip_image.recipe(), clip_image.recipe())
    assert made(cosine, recipe, picture(1), one=one, other=other) == pytest.approx(1 - distance(one, other))
    assert made(cosine, recipe, picture(1), one=one, other=0 * other) == 0
