"""What a network is shown is what the published code shows it: views and maps, not networks."""

import numpy as np
import pytest

from bench import discover
from bench.artefacts.engine import Request
from bench.artefacts.engines.discriminator_gradient import DiscriminatorGradient
from bench.artefacts.engines.noise_residual import NoiseResidual
from bench.detector import Facts, Sample
from bench.nets.cycleisp import Denoiser
from bench.nets.cycleisp import Shape as DenoiserShape
from bench.nets.stylegan import Discriminator
from bench.nets.stylegan import Shape as DiscriminatorShape
from bench.progress import Meter
from methods._shared.tensors import imagenet
from tests.parity.seeded import SIZES, fill, image
from tests.parity.test_parity import numbers


def view(name, rgb, artefacts=None, **params):
    method = discover.method(name)
    sample = Sample(rgb, artefacts or {}, Facts("png", 0, *rgb.shape[1::-1], 0))
    return method(method.Params(**params)).view(sample, "test", np.random.default_rng(0))


def artefact(engine, net, rgb):
    """An engine's payload by a seeded network at its published size."""
    engine._net, engine._device, engine._meter = net, "cpu", Meter()
    request = Request("0" * 32, rgb, {})
    return engine.run([request], [engine.view(request)])[0]


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_gramnet_sees_the_published_tensor_but_for_the_rounding_of_8_bit_images(number):
    shown = view("gramnet", image(number, *SIZES[number]))["image"]
    wanted = np.asarray(numbers("gramnet")["prepared"][number])
    assert np.abs(shown[:, ::71, ::67].numpy() - wanted).max() < 1  # OpenCV rounds what it resizes.


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_fusing_sees_the_published_tensors(number):
    shown = view("fusing", image(number, *SIZES[number]))
    for name, wanted in zip(("full", "image"), numbers("fusing")["prepared"][number], strict=True):
        assert shown[name][:, ::31, ::29].numpy() == pytest.approx(np.asarray(wanted), abs=1e-4)


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_lare_sees_the_published_tensor(number):
    error = {"error": np.zeros((4, 32, 32), np.float32)}
    shown = view("lare2", image(number, *SIZES[number]), error)["image"]
    assert shown[:, ::31, ::29].numpy() == pytest.approx(np.asarray(numbers("lare")["prepared"][number]), abs=1e-4)


def test_lgrads_map_is_the_published_one():
    net = fill(Discriminator(DiscriminatorShape()), like_normal=True)
    made = artefact(DiscriminatorGradient(), net, image(0, *SIZES[0]))[::37, ::41].astype(int)
    apart = np.abs(made - np.asarray(numbers("lgrad")["map"]))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01  # A value between two levels may fall to either side.


def test_lnps_map_wraps_and_changes_channels_as_the_published_one():
    rgb = image(0, 48, 40)
    noise = artefact(NoiseResidual(), fill(Denoiser(DenoiserShape()), gain=0.4), rgb)
    shown = view("lnp", rgb, {"noise": noise}, load_size=40, crop_size=48)["image"]
    wanted = np.asarray(numbers("lnp")["map"], np.uint8)
    assert len(np.unique(wanted)) > 20
    assert shown[:, 4:44:5, ::7].numpy() == pytest.approx(imagenet(wanted).numpy(), abs=1e-4)
