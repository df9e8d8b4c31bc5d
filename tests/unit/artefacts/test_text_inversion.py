import numpy as np
import pytest

from bench.artefacts.batching import make_chunk
from bench.artefacts.engine import Request
from bench.artefacts.engines import blip
from bench.artefacts.engines.text_inversion import TextInversion, recipe
from bench.data.decode import decode
from bench.models.zoo import Zoo
from bench.progress import Meter
from tests.conftest import picture
from tests.unit.artefacts.test_ddim_inversion import STEPS, reference


@pytest.fixture(scope="module")
def engine():
    zoo, made = Zoo("mini"), TextInversion()
    need = recipe(blip.recipe(), steps=STEPS, size=64).bind("source")
    made.load(need.resolve({role: zoo.hash(role) for role in need.roles()}), zoo, "cpu", Meter())
    return made


def inverted(engine, rgb, caption):
    (data,) = make_chunk(engine, [Request("0" * 32, rgb, {"caption": caption})]).values()
    return decode(data).rgb


def test_the_decoded_noise_is_above_the_reconstruction_and_both_are_those_of_a_plain_loop(engine):
    rgb, captions = picture(1, 64, 64, grain=4), ("a red disc on grass", "a blue square")
    made = [inverted(engine, rgb, caption) for caption in captions]
    for image, caption in zip(made, captions, strict=True):
        wanted = np.concatenate(reference(Zoo("mini").folder("sdv15"), rgb, caption))
        assert image.shape == wanted.shape == (128, 64, 3)
        difference = np.abs(image.astype(int) - wanted)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01
    assert np.abs(made[0].astype(int) - made[1]).mean() > 0.1, "the caption makes no difference"


def test_the_shorter_side_is_resized_and_the_centre_is_inverted(engine):
    rgb = np.zeros((40, 80, 3), np.uint8)
    rgb[:, 20:60] = 200
    assert engine.view(Request("0" * 32, rgb, {})).shape == (64, 64, 3)
    assert (engine.view(Request("0" * 32, rgb, {}))[:, 2:-2] == 200).all()
