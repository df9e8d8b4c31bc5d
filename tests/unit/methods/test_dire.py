"""The official script's leak is in the variant that is named for it, and only there."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from bench.detector import Facts, Sample
from methods.dire import DIRE, Params
from tests.conftest import picture


def view(container, facts):
    """The map of one image as the network sees it, uint8 [H, W, 3] before its normalisation."""
    rgb, other = picture(1, 64, 64, 4.0), picture(2, 64, 64, 4.0)
    method = DIRE(replace(Params(), image_size=64, load_size=64, crop_size=64, container=container))
    sample = Sample(rgb, {"reconstruction": other}, Facts(facts, 90 if facts == "jpeg" else 0, 64, 64, 1000))
    tensor = method.view(sample, "test", np.random.default_rng(0))["image"].permute(1, 2, 0).numpy()
    mean, std = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
    shown = np.round((tensor * std + mean) * 255).astype(np.uint8)
    return shown, np.abs(rgb.astype(np.int16) - other).astype(np.uint8)


@pytest.mark.parametrize(
    ("container", "facts"), [("png", "jpeg"), ("png", "png"), ("input", "png"), ("input", "webp"), ("input", "bmp")]
)
def test_maps_are_lossless(container, facts):
    shown, difference = view(container, facts)
    assert np.array_equal(shown, difference)


def test_the_variant_writes_the_map_of_a_jpeg_as_the_official_script_does(tmp_path):
    shown, difference = view("input", "jpeg")
    cv2.imwrite(str(tmp_path / "map.jpg"), difference[..., ::-1])
    wanted = cv2.imread(str(tmp_path / "map.jpg"))[..., ::-1]
    assert np.array_equal(shown, wanted)
    assert not np.array_equal(shown, difference)
    assert DIRE.variants["official_container"] == {"container": "input"}
