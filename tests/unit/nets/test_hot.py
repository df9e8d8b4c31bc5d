"""Compiled for frequent shapes, as they are for all others, with the same results."""

import logging

import pytest
import torch
from torch import nn

from bench.models.zoo import Zoo
from bench.nets.hot import MOST, Hot
from bench.nets.latent_diffusion import LatentDiffusion
from bench.numerics import Numerics


class Counted(nn.Module):
    """Counts the evaluations that no compiler has taken over."""

    def __init__(self):
        super().__init__()
        self.layer, self.eager = nn.Linear(3, 3), 0

    def forward(self, x):
        if not torch.compiler.is_compiling():
            self.eager += 1
        return self.layer(x)


@pytest.fixture(autouse=True)
def _fresh():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def test_a_shape_is_compiled_after_so_many_images_and_others_are_not():
    network = Counted()
    hot = Hot(network, 5, backend="eager")
    x, other = torch.randn(2, 3), torch.randn(1, 3)
    with torch.no_grad():
        for _ in range(5):
            torch.testing.assert_close(hot(x), network.layer(x))
            hot(other)
    assert network.eager == 2 + 5  # Four images of one shape, then compiled; five of the other.


def test_small_images_are_compiled_later():
    network = nn.Conv2d(3, 3, 1)
    hot = Hot(network, 2 * 8 * 8, backend="eager")
    for _ in range(8):
        hot(torch.randn(1, 3, 4, 4))
    assert not hot._compiled
    hot(torch.randn(1, 3, 4, 4))
    assert list(hot._compiled) == [(1, 3, 4, 4)]


def test_it_never_compiles_unless_told_to():
    network = Counted()
    hot = Hot(network, backend="eager")
    for _ in range(20):
        hot(torch.randn(4, 3))
    assert network.eager == 20


def test_few_shapes_are_compiled():
    network = Counted()
    hot = Hot(network, 1, backend="eager")
    for size in range(2, 2 + MOST + 3):
        hot(torch.randn(size, 3))
    assert network.eager == 3


def test_a_missing_compiler_costs_one_warning(caplog):
    def missing(graph, inputs):
        raise RuntimeError("no C compiler")

    network = Counted()
    hot = Hot(network, 1, backend=missing)
    x = torch.randn(4, 3)
    with caplog.at_level(logging.WARNING), torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(hot(x), network.layer(x))
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "A network could not be compiled and runs as it is"
    ]
    assert network.eager == 3


def test_memory_that_runs_out_is_not_the_compilers_fault():
    def network(x):
        raise torch.OutOfMemoryError("out of memory")

    hot = Hot(network, 1, backend="eager")
    hot._compiled[4, 3] = network
    with pytest.raises(torch.OutOfMemoryError):
        hot(torch.randn(4, 3))
    assert hot.after == 1


def test_cudnn_searches_only_for_what_is_compiled():
    seen = []

    def network(x):
        seen.append(torch.backends.cudnn.benchmark)
        return x

    hot = Hot(network, 1)
    hot(torch.randn(1, 3))
    hot._compiled[4, 3] = network
    hot(torch.randn(4, 3))
    assert (seen, torch.backends.cudnn.benchmark) == ([False, True], False)


def test_the_networks_of_a_latent_diffusion_model_can_be_compiled_whole():
    """With ``fullgraph``, anything in diffusers that a compiler cannot follow would be an error."""
    model = LatentDiffusion(Zoo("mini").folder("sdv1"), "cpu", Numerics("fp32", "", exact=False))
    assert {network.after for network in model.networks.values()} == {0}  # Not on a CPU.
    x = torch.randn(2, model.vae.config.latent_channels, 8, 8)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        condition = model.condition(["a red disc", ""])
        calls = {
            "unet": (x, torch.full((), 500), condition),
            "encoder": (pixels,),
            "decoder": (x,),
        }
        for name, inputs in calls.items():
            want = model.networks[name](*inputs)
            hot = Hot(model.networks[name]._network, 1, backend="eager")
            torch.testing.assert_close(hot(*inputs), want)
            assert hot.after == 1  # It did not fall back.
            assert hot._compiled
