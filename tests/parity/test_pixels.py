"""Detectors of traces of a few pixels: the published networks' logits and keys, at even and odd sides."""

import json

import numpy as np
import pytest
import pywt
import torch
from torch.nn.functional import interpolate

from bench import discover
from bench.detector import Facts, Sample
from bench.nets.freqnet import FreqNet
from bench.nets.ladeda import LaDeDa, TinyLaDeDa
from bench.nets.ladeda import Shape as PatchShape
from bench.nets.truncated_resnet import NPR, OnDiagonal, Shape, neighbouring
from bench.nets.wavelet import WAVELET, diagonal
from methods._shared.tensors import chw, imagenet
from tests.parity.make import NUMBERS
from tests.parity.pixels import pictures
from tests.parity.seeded import SIZES, fill, image


def square(rgb):
    return imagenet(rgb)[:, :64, :64]


NETWORKS = {
    "npr": (lambda: NPR(Shape(), 1), imagenet, ()),
    "freqnet": (lambda: FreqNet(Shape()), imagenet, ()),
    "safe": (lambda: OnDiagonal(Shape(), 2), chw, ()),
    "large": (lambda: LaDeDa(PatchShape()), square, ("ladeda",)),
    "tiny": (TinyLaDeDa, square, ("ladeda",)),
}


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_the_network_gives_the_published_logits_and_has_the_published_keys(name):
    build, prepare, file = NETWORKS[name]
    wanted = json.loads((NUMBERS / f"{(*file, name)[0]}.json").read_text())
    wanted = wanted[name] if file else wanted
    model = fill(build())
    assert sorted(model.state_dict()) == wanted["keys"]
    for x, logits in zip(pictures(prepare), wanted["logits"], strict=True):
        assert model(x)[0].tolist() == pytest.approx(logits, abs=1e-4)


def test_safe_prepares_the_published_tensors():
    """A centre crop without resizing; smaller images are padded with zeros. `prepared` has sums and a few pixels."""
    wanted = json.loads((NUMBERS / "safe.json").read_text())["prepared"]
    method = discover.method("safe")
    safe = method(method.Params())
    for number, (size, (total, pixels)) in enumerate(zip(SIZES, wanted, strict=True)):
        rgb = image(number, *size)
        x = safe.view(Sample(rgb, {}, Facts("png", 0, *size, 1)), "test", np.random.default_rng(0))["image"]
        assert float(x.sum()) == pytest.approx(total, rel=1e-5)
        assert x[:, ::71, ::67].numpy() == pytest.approx(np.asarray(pixels), abs=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (9, 11), (24, 25), (63, 64)])
def test_the_diagonal_band_is_pywavelets(size):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, *size)))
    band = torch.from_numpy(pywt.dwt2(x.numpy(), WAVELET, mode="symmetric")[1][2])
    wanted = interpolate(band, size=size, mode="bilinear", align_corners=False)
    assert diagonal(x).numpy() == pytest.approx(wanted.numpy(), abs=1e-12)


def test_neighbouring_pixels_are_relative_to_the_first_of_their_cell():
    x = torch.arange(15.0).view(1, 1, 3, 5)
    assert neighbouring(x)[0, 0].tolist() == [[0, 1, 0, 1], [5, 6, 5, 6]]


def test_weights_of_forensynths_see_other_inputs():
    """The authors' thread 3: LaDeDa's weights of ForenSynths were trained like NPR's, those of WildRF were not."""
    method, x = discover.method("ladeda"), torch.rand(1, 3, 32, 32)
    names = ("", "forensynths", "tiny", "tiny_forensynths")
    models = {name: fill(method(method.Params(**method.variants.get(name, {}))).build({})) for name in names}
    seen = {name: [] for name in names}
    for name, model in models.items():
        model.conv1.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(inputs[0]))
        model(x)
    assert torch.equal(seen[""][0], neighbouring(x))
    assert torch.allclose(seen["forensynths"][0], neighbouring(x) * 2 / 3)
    assert torch.equal(seen["tiny_forensynths"][0], neighbouring(x))
    middle = x[0, :, 4:7, 4:7]
    sobel = torch.tensor([[-2.0, -1, 0], [-1, 0, 1], [0, 1, 2]])
    assert torch.allclose(seen["tiny"][0][0, :, 5, 5], (middle * sobel).sum((1, 2)), atol=1e-5)


@pytest.mark.parametrize("name", ["npr", "freqnet"])
def test_the_geometries_of_npr(name):
    """``tile`` repeats a small image and never resizes; ``resize`` tests the whole square."""
    method, rgb = discover.method(name), image(0, 40, 30)
    sample = Sample(rgb, {}, Facts("png", 0, 40, 30, 1))
    views = {
        g: method(method.Params(geometry=g, crop_size=56, load_size=64)).view(sample, "test", np.random.default_rng(0))
        for g in ("tile", "resize")
    }
    repeated = np.tile(rgb, (2, 2, 1))
    top, left = round((60 - 56) / 2), round((80 - 56) / 2)
    wanted = imagenet(np.ascontiguousarray(repeated[top : top + 56, left : left + 56]))
    assert torch.equal(views["tile"]["image"], wanted)
    assert views["resize"]["image"].shape == (3, 64, 64)
