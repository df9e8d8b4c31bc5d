"""The linear probe reads the pooled features of transformers' own models."""

import pytest
import torch
from transformers import (
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
)

from bench.errors import UserError
from methods._shared.probe import Pooled, probe
from tests.parity import openai
from tests.parity.seeded import fill, tensor
from tests.parity.test_clip_family import _layout

SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 56, "patch_size": 8}
MODELS = {
    "dinov3": (DINOv3ViTModel, DINOv3ViTConfig, {"intermediate_size": 96, "num_register_tokens": 4}),
    "dinov2": (Dinov2Model, Dinov2Config, {}),
    "registers": (Dinov2WithRegistersModel, Dinov2WithRegistersConfig, {}),
}


@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_the_feature_is_the_class_token_after_the_last_norm(name, tmp_path):
    kind, config, more = MODELS[name]
    model = fill(kind(config(**SIZES, **more)))
    model.save_pretrained(tmp_path)
    encoder = Pooled(tmp_path)
    tokens = model(openai.views()).last_hidden_state
    assert encoder.width == 48
    assert torch.allclose(encoder(openai.views()), tokens[:, 0], atol=1e-5)
    assert not any(p.requires_grad for p in encoder.parameters())
    head = probe(tmp_path, clip=False)
    assert sorted(head.state_dict()) == ["fc.bias", "fc.weight"]
    logits = tokens[:, 0] @ head.fc.weight.T + head.fc.bias
    assert torch.allclose(head(openai.views()), logits, atol=1e-5)


@torch.no_grad()
def test_clips_feature_is_the_projected_embedding(tmp_path):
    openai.save({name: tensor(0, name, shape) for name, shape in _layout().items()}, tmp_path)
    model = CLIPModel.from_pretrained(tmp_path).eval()
    made = model.visual_projection(model.vision_model(openai.views()).pooler_output)
    assert torch.allclose(probe(tmp_path, clip=True).encoder(openai.views()), made, atol=1e-5)


def test_a_folder_without_a_configuration_is_told(tmp_path):
    with pytest.raises(UserError, match="AutoModel cannot be read"):
        Pooled(tmp_path)
