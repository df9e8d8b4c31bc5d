"""What every method's parameters are, and the values of the trivial baselines, by their definitions."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from scipy import ndimage

from bench import discover
from bench.detector import Facts, Sample
from methods import dire
from tests.conftest import picture


def value(name, rgb, facts):
    kind = discover.method(name)
    return kind(kind.Params()).value(Sample(rgb, {}, facts))


FACTS = Facts("jpeg", 83, 40, 30, 2400)


def test_file_facts_are_taken_as_they_are():
    rgb = picture(1, 40, 30)
    assert value("container", rgb, FACTS) == "jpeg"
    assert value("jpeg_quality", rgb, FACTS) == "83"
    assert value("image_size", rgb, FACTS) == "40x30"
    assert value("bytes_per_pixel", rgb, FACTS) == 2.0


@pytest.mark.parametrize("size", [(40, 30), (31, 17), (3, 3)])
def test_high_frequency_energy_is_that_of_the_laplacian_of_the_luma(size):
    rgb = picture(2, *size, grain=9)
    luma = rgb.astype(np.float64) @ (0.299, 0.587, 0.114)
    inner = ndimage.laplace(luma)[1:-1, 1:-1]
    assert value("hf_energy", rgb, FACTS) == pytest.approx(np.log((inner**2).mean() + 1e-3))


@pytest.mark.parametrize("size", [(2, 9), (1, 1)])
def test_an_image_too_small_for_a_laplacian_is_continued_at_its_edges(size):
    luma = np.pad(picture(3, *size).astype(np.float64) @ (0.299, 0.587, 0.114), 1, "edge")
    inner = ndimage.laplace(luma)[1:-1, 1:-1]
    found = value("hf_energy", picture(3, *size), FACTS)
    assert found == pytest.approx(np.log((inner**2).mean() + 1e-3))


@pytest.mark.parametrize("name", discover.methods())
def test_parameters_cannot_be_changed_and_drcts_half_period_is_five_epochs(name):
    params = discover.method(name).Params()
    for field in fields(params):
        with pytest.raises(FrozenInstanceError):
            setattr(params, field.name, None)
    assert type(params).__dataclass_params__.frozen
    assert name == "cospy" or getattr(params, "cosine", 5) == 5


def test_a_reconstruction_is_found_below_the_image_where_there_is_one_and_above_it_elsewhere():
    method = dire.METHOD(dire.Params(image_size=16))
    image, difference = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 30, np.uint8)
    assert (method.from_form(difference, image) == 70).all()
    assert (method.from_form(np.full_like(difference, 120), image) == 220).all()
    edge = np.full_like(image, 30)
    assert (method.from_form(difference, edge) == 0).all()
    with pytest.raises(ValueError, match="no 8-bit"):
        method.from_form(np.full_like(difference, 170), image)
