"""Detectors that train inside CLIP's image tower give the published code's logits (max abs 1e-4, fp32)."""

import numpy as np
import pytest
import torch
from torch import nn

from bench import discover
from bench.errors import UserError
from bench.training import checkpoint
from methods._shared import deepfakebench, tuned_clip
from tests.parity import openai
from tests.parity.seeded import image, tensor
from tests.parity.test_parity import numbers
from tests.parity.tuned import VISION


@pytest.fixture
def small(monkeypatch):
    """Make a method and its network, which a file fills completely, at the width of the small CLIP."""
    monkeypatch.setattr(tuned_clip, "VIT_L14", VISION)

    def made(name, variant="", **params):
        kind = discover.method(name)
        method = kind(kind.Params(**{**kind.variants.get(variant, {}), **params}))
        return method, method.build({}).eval()

    return made


def released(method, model, keys):
    """Seeded tensors under the official names of all blocks; names that are not used get one number."""
    names = [key.replace("layers.0", f"layers.{n}") for key in keys for n in range(openai.LAYERS)]
    own = {official: ours for ours, official in method.official({name: name for name in names}).items()}
    shapes = {name: tuple(model.state_dict()[ours].shape) for name, ours in own.items()}
    return {name: tensor(0, name, shapes.get(name, (1,))) for name in names}


@pytest.mark.parametrize("variant", ["", "deepfakebench"])
@torch.no_grad()
def test_effort_gives_the_published_logits_and_loads_the_published_keys(variant, small, tmp_path):
    wanted, (method, model) = numbers("effort")[variant or "ufd"], small("effort", variant)
    state = released(method, model, wanted["keys"])
    text = {"model.text_model.final_layer_norm.bias": torch.zeros(3), "model.text_projection.weight": torch.zeros(3, 3)}
    saved = {f"module.{name}": t for name, t in state.items()} if variant else {"model": state | text, "total_steps": 9}
    torch.save(saved, tmp_path / "effort.pth")
    checkpoint.fill(method, model, checkpoint.read(tmp_path / "effort.pth"), tmp_path)
    assert model(openai.views()).numpy() == pytest.approx(np.asarray(wanted["logits"]), abs=1e-4)


def test_effort_loads_files_without_the_factors_that_only_a_loss_needs(small):
    """The released files lack S_r, U_r and V_r; a file of the other code base is refused."""
    method, model = small("effort", "demo")
    keys = numbers("effort")["deepfakebench"]["keys"]
    state = released(method, model, [key for key in keys if not key.endswith(("S_r", "U_r", "V_r"))])
    assert len(keys) * openai.LAYERS > len(state)
    checkpoint.fill(method, model, state, "effort.pth")
    other, network = small("effort")
    with pytest.raises(UserError, match="head"):
        checkpoint.fill(other, network, state, "effort.pth")
    with pytest.raises(UserError, match="strange"):
        checkpoint.fill(method, model, state | {"backbone.strange": torch.zeros(1)}, "effort.pth")


def test_effort_splits_weights_as_published_and_trains_the_residual_alone():
    layer = nn.Linear(16, 16)
    weight, bias = tensor(0, "weight", (16, 16)), tensor(0, "bias", (16,))
    layer.load_state_dict({"weight": weight, "bias": bias})
    split = tuned_clip.SingularResidual(layer, 1, True)
    assert split.weight_main[::5, ::3].numpy() == pytest.approx(np.asarray(numbers("effort")["main"]), abs=1e-5)
    x = tensor(0, "x", (3, 16))
    assert torch.allclose(split(x), x @ weight.T + bias, atol=1e-5)
    assert [n for n, p in split.named_parameters() if p.requires_grad] == ["S_residual", "U_residual", "V_residual"]


def test_more_singular_values_than_there_are_is_told():
    with pytest.raises(UserError, match=r"rank is 17(?s:.*)16 singular values"):
        tuned_clip.SingularResidual(nn.Linear(16, 16), 17, True)


def test_efforts_trained_numbers_are_the_residuals_and_the_head(small):
    """Three vectors in each of four weights of each block; at full size 196 704."""
    model = small("effort")[1]
    trained = sum(p.numel() for p in model.backbone.parameters() if p.requires_grad)
    assert trained == openai.LAYERS * 4 * (2 * openai.WIDTH + 1)
    assert 24 * 4 * (2 * 1024 + 1) == 196_704


def test_deepfakebenchs_augmentations_are_those_of_its_list():
    """Gamma by albumentations' table, whole pixels exchanged, eight squares, a line's mean; sizes never change."""
    rgb = image(0, 60, 40)
    assert deepfakebench.gamma(np.full((1, 1, 3), 100, np.uint8), 1.2)[0, 0, 0] == int((100 / 255) ** 1.2 * 255)
    flat = np.full((40, 60, 3), 77, np.uint8)
    for change in (deepfakebench.glass_blur, deepfakebench.motion_blur):
        assert (change(flat, np.random.default_rng(0)) == flat).all()
        assert (change(rgb, np.random.default_rng(0)) != rgb).any()
    black = (deepfakebench.cutout(flat, np.random.default_rng(0)) == 0).all(2)
    assert 64 <= black.sum() <= 8 * 64
    assert (deepfakebench.clahe(rgb, np.random.default_rng(0)) != rgb).any()
    shapes = {deepfakebench.augmented(rgb, np.random.default_rng(seed)).shape for seed in range(60)}
    assert shapes == {rgb.shape}


@torch.no_grad()
def test_c2p_clip_gives_the_published_logits_and_loads_the_published_keys(small, tmp_path):
    """The released file has no LoRA, because it is merged; position_ids may be in it."""
    wanted, (method, model) = numbers("c2p_clip"), small("c2p_clip")
    own, keys = model.state_dict(), wanted["keys"]
    names = [key.replace("layers.0", f"layers.{n}") for key in keys for n in range(openai.LAYERS)]
    assert {name for name in own if "lora" not in name} == set(names)
    state = {name: tensor(0, name, tuple(own[name].shape)) for name in names}
    state["model.vision_model.embeddings.position_ids"] = torch.arange(50)[None]
    torch.save(state, tmp_path / "c2p.pth")
    checkpoint.fill(method, model, checkpoint.read(tmp_path / "c2p.pth"), tmp_path)
    assert model(openai.views()).numpy() == pytest.approx(np.asarray(wanted["logits"]), abs=1e-4)
    del state["model.fc.bias"]
    with pytest.raises(UserError, match=r"fc\.bias"):
        checkpoint.fill(method, model, state, "c2p.pth")


def test_c2p_clip_trains_lora_and_the_head_alone_and_begins_as_clip(small):
    model = small("c2p_clip")[1]
    kinds = {n.rpartition(".")[2] for n, p in model.named_parameters() if p.requires_grad and ".fc." not in n}
    assert kinds == {"lora_A", "lora_B"}
    assert model.model.fc.weight.requires_grad
    layer = model.model.vision_model.encoder.layers[0].self_attn.q_proj
    x = tensor(0, "x", (3, openai.WIDTH))
    assert torch.equal(layer(x), x @ layer.weight.T + layer.bias)
    layer.lora_B.data.fill_(0.5)
    moved = layer(x) - (x @ layer.weight.T + layer.bias)
    assert torch.allclose(moved, (x @ layer.lora_A.T) @ layer.lora_B.T, atol=1e-5)
