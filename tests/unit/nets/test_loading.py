import pytest
import torch
from torch import nn

from bench.errors import UserError
from bench.nets.loading import differences, load_strictly


def test_what_does_not_fit_is_named_by_kind():
    wanted = {"a": torch.zeros(2), "b": torch.zeros(3), "steps": torch.zeros(1)}
    assert differences(wanted, wanted) == ""
    assert differences(wanted, {"a": torch.zeros(2), "b": torch.zeros(3)}, {"steps"}) == ""
    sentence = differences(wanted, {"b": torch.zeros(4), "c": torch.zeros(1)})
    assert sentence == "Missing: a, steps; unexpected: c; wrong shape: b [4], not [3]."
    assert differences({f"n{i}": torch.zeros(1) for i in range(9)}, {}).endswith("n5 and 3 more.")


def test_the_file_of_another_network_is_refused_and_changes_nothing(tmp_path):
    network = nn.Linear(2, 1)
    before = network.weight.detach().clone()
    with pytest.raises(UserError, match=r"x\.safetensors do not match the expected denoiser") as caught:
        load_strictly(network, {"weight": torch.ones(1, 2)}, tmp_path / "x.safetensors", "denoiser")
    assert "bias" in caught.value.context
    assert torch.equal(network.weight, before)
    load_strictly(network, {"weight": torch.ones(1, 2).half(), "bias": torch.ones(1)}, tmp_path, "denoiser")
    assert network.weight.dtype == torch.float32
    assert network.weight.tolist() == [[1.0, 1.0]]
