import json

import pytest
import timm
import torch
from safetensors.torch import save_file
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from bench.errors import UserError
from bench.nets import vit
from tests.parity.seeded import fill

SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 56, "patch_size": 8}
IMAGES = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))


def class_token(model):
    with torch.no_grad():
        made = model.eval()(IMAGES)
    return made.pooler_output if hasattr(made, "pooler_output") else made


def saved(model, folder):
    fill(model)
    model.save_pretrained(folder)
    return class_token(model)


@pytest.mark.parametrize(
    ("kind", "config"), [(Dinov2Model, Dinov2Config), (Dinov2WithRegistersModel, Dinov2WithRegistersConfig)]
)
def test_transformers_dinov2_has_the_same_class_token(kind, config, tmp_path):
    expected = saved(kind(config(**SIZES)), tmp_path)
    for changes in ({}, {"scaled": False}):
        network = vit.load(tmp_path, 56, **changes)
        assert torch.allclose(class_token(network), expected, atol=1e-5), changes


def test_the_names_of_transformers_modules_are_read_as_those_of_its_files(tmp_path):
    model = Dinov2Model(Dinov2Config(**SIZES))
    expected = saved(model, tmp_path)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    assert torch.allclose(class_token(vit.load(tmp_path, 56)), expected, atol=1e-5)


def test_the_layout_of_torch_hub_is_read(tmp_path):
    expected = saved(Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**SIZES)), tmp_path)
    state = vit.load(tmp_path, 56).state_dict()
    state["register_tokens"] = state.pop("reg_token")
    (tmp_path / "hub").mkdir()
    torch.save({**state, "mask_token": torch.zeros(1, 48)}, tmp_path / "hub" / "dinov2_reg.pth")
    (tmp_path / "hub" / "config.json").write_text(json.dumps({"num_attention_heads": 3}))
    assert torch.allclose(class_token(vit.load(tmp_path / "hub", 56)), expected, atol=1e-5)


def test_timms_files_are_read_and_resampled_as_timm_does(tmp_path):
    theirs = fill(timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2))
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    network = vit.load(tmp_path, 96, "timm")
    theirs.set_input_size(96)
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        tokens = theirs.eval().forward_features(images)[:, 0]
        assert torch.allclose(network.eval()(images), tokens, atol=1e-5)


def test_the_hubs_grid_is_shifted_by_its_offset():
    ramp = torch.arange(37.0).repeat(37).reshape(1, 37 * 37, 1)
    made = vit.resampled(torch.cat([torch.full((1, 1, 1), 7.0), ramp], 1), 1, 16, "hub")
    assert made[0, 0, 0] == 7
    row = made[0, 1:17, 0]
    middle = (torch.arange(1, 15) + 0.5) * 37 / 16.1 - 0.5
    assert torch.allclose(row[1:15], middle, atol=0.06)


def test_another_file_is_named(tmp_path):
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"holds no vision transformer(?s:.*)conv1\.weight"):
        vit.load(tmp_path, 56)
