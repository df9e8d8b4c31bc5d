import lpips
import pytest
import torch
from safetensors.torch import save_file

from bench.errors import UserError
from bench.nets.lpips import LPIPS, Shape, load_lpips


@pytest.fixture(scope="module")
def official():
    torch.manual_seed(0)
    return lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()


@pytest.mark.parametrize("size", [(64, 64), (96, 71)])
def test_the_distance_is_the_packages(official, tmp_path, size):
    save_file({k: v.contiguous().clone() for k, v in official.state_dict().items()}, tmp_path / "model.safetensors")
    ours = load_lpips(tmp_path)
    a, b = (torch.rand(3, 3, *size) * 2 - 1 for _ in range(2))
    with torch.no_grad():
        assert (ours(a, b) - official(a, b).flatten()).abs().max() <= 1e-5
        assert ours(a, a).abs().max() == 0


def test_a_wrong_file_is_an_error_naming_the_tensor(official, tmp_path):
    state = {k: v.contiguous().clone() for k, v in official.state_dict().items() if k != "lin3.model.1.weight"}
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="Missing: lin3"):
        load_lpips(tmp_path)


def test_a_small_shape_takes_small_images():
    net = LPIPS(Shape((8, 8, 8, 8, 8), (5, 2, 2), (3, 1, 1)))
    assert net(torch.zeros(2, 3, 32, 32), torch.ones(2, 3, 32, 32)).shape == (2,)
