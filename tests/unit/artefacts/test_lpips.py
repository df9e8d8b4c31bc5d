"""LPIPS is the package's; only where trunk and heads come from is ours."""

import lpips
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from bench.artefacts.engines.lpips import TRUNK, build, load
from bench.errors import UserError


@pytest.fixture(scope="module")
def official():
    torch.manual_seed(0)
    return lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()


def saved(network, path):
    save_file({name: tensor.contiguous().clone() for name, tensor in network.state_dict().items()}, path)


@pytest.mark.parametrize("size", [(64, 64), (96, 71)])
def test_a_saved_network_of_the_package_gives_the_same_distances(official, tmp_path, size):
    saved(official, tmp_path / "model.safetensors")
    ours = load(tmp_path)
    a, b = (torch.rand(3, 3, *size) * 2 - 1 for _ in range(2))
    assert torch.equal(ours(a, b), official(a, b))
    assert ours(a, a).abs().max() == 0


def test_torchvisions_trunk_gets_the_published_heads(official, tmp_path):
    trunk = torchvision.models.alexnet(weights=None)
    torch.save(trunk.state_dict(), tmp_path / TRUNK)
    ours = load(tmp_path)
    for number, at in enumerate((0, 3, 6, 8, 10), 1):
        assert torch.equal(ours.get_parameter(f"net.slice{number}.{at}.weight"), trunk.features[at].weight)
        head = f"lin{number - 1}.model.1.weight"
        assert torch.equal(ours.get_parameter(head), official.get_parameter(head))


def test_a_wrong_file_is_an_error_naming_the_tensor(official, tmp_path):
    state = {k: v.contiguous().clone() for k, v in official.state_dict().items() if k != "lin3.model.1.weight"}
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="Missing: lin3"):
        load(tmp_path)
    features = torchvision.models.alexnet(weights=None).state_dict()
    del features["features.6.bias"]
    torch.save(features, tmp_path / TRUNK)
    with pytest.raises(UserError, match=r"Missing: net\.slice3\.6\.bias"):
        load(tmp_path)


def test_a_small_shape_takes_small_images():
    net = build({"channels": (8, 8, 8, 8, 8), "first": (5, 2, 2), "second": (3, 1, 1)})
    assert net(torch.zeros(2, 3, 32, 32), torch.ones(2, 3, 32, 32)).shape == (2, 1, 1, 1)
