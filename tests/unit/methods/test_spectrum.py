import numpy as np
import pytest
import torch

from methods._shared.spectrum import EPSILON, Standardised, linear, log_dct, shallow_cnn
from tests.conftest import picture


def by_definition(plane):
    """The orthonormal DCT-II as two matrix products."""
    n = len(plane)
    k, x = np.mgrid[0:n, 0:n]
    basis = np.sqrt(2 / n) * np.cos(np.pi * (2 * x + 1) * k / (2 * n))
    basis[0] /= np.sqrt(2)
    return basis @ plane @ basis.T


def test_the_spectrum_is_the_logarithm_of_the_orthonormal_dct():
    rgb = picture(3, 24, 24, 8.0)
    wanted = [np.log(np.abs(by_definition(rgb[..., c].astype(float))) + EPSILON) for c in range(3)]
    assert log_dct(rgb).numpy() == pytest.approx(np.stack(wanted), abs=1e-4)


def test_the_dc_of_a_grey_image_is_side_times_grey():
    assert log_dct(np.full((16, 16, 3), 117, np.uint8))[:, 0, 0].exp().tolist() == pytest.approx(
        [16 * 117] * 3, rel=1e-5
    )


def test_statistics_are_numpys_over_all_batches_and_travel_with_the_state():
    x = torch.randn(30, 3, 8, 8) * 3 + 1
    x[:, 0, 0, 0] = 5.0  # never varies
    net = Standardised(linear(8), 8)
    net.learn({"image": part} for part in x.split(7))
    assert net.mean.numpy() == pytest.approx(x.numpy().mean(0), abs=1e-5)
    wanted = x.numpy().std(0)
    wanted[0, 0, 0] = 1.0
    assert net.std.numpy() == pytest.approx(wanted, rel=1e-3)
    assert {"mean", "std"} <= set(net.state_dict())
    seen = (x - net.mean) / net.std
    assert torch.allclose(net(x), net.network(seen))


@pytest.mark.parametrize("make", [linear, shallow_cnn])
def test_the_papers_heads_give_one_logit(make):
    assert make(16)(torch.zeros(2, 3, 16, 16)).shape == (2, 1)


def test_the_papers_cnn_has_the_size_the_reference_states():
    """About 170 thousand parameters with five classes at 128 px: the dense layer has 5 · 32 · 32² weights."""
    net = shallow_cnn(128)
    convs = sum(p.numel() for p in net[:-1].parameters())
    assert convs + 5 * (32 * 32**2 + 1) == pytest.approx(170_000, rel=0.02)
