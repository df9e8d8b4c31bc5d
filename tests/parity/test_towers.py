"""Detectors in or above the blocks of a vision transformer: the published logits, files in the authors' names."""

import math
from types import SimpleNamespace

import pytest
import pywt
import torch
from transformers import CLIPConfig, CLIPModel

from bench.errors import UserError
from bench.nets.clip import save, to_openai, to_transformers
from bench.nets.clip_text import from_transformers
from bench.nets.wavelet import haar, inverse_haar
from bench.training import checkpoint
from methods import fatformer
from methods._shared.fatformer import Adapter, Cross
from tests.parity import towers
from tests.parity.seeded import tensor
from tests.parity.test_clip_family import near
from tests.parity.test_parity import numbers

CONFIG = CLIPConfig(
    vision_config={
        "hidden_size": towers.WIDTH,
        "intermediate_size": 4 * towers.WIDTH,
        "num_hidden_layers": towers.BLOCKS,
        "num_attention_heads": towers.WIDTH // 64,
        "image_size": towers.SIDE,
        "patch_size": towers.PATCH,
        "projection_dim": towers.EMBEDDING,
    },
    text_config={
        "hidden_size": towers.TEXT_WIDTH,
        "intermediate_size": 4 * towers.TEXT_WIDTH,
        "num_hidden_layers": towers.TEXT_BLOCKS,
        "num_attention_heads": towers.TEXT_HEADS,
        "vocab_size": towers.VOCABULARY,
        "max_position_embeddings": towers.CONTEXT,
        "projection_dim": towers.EMBEDDING,
    },
    projection_dim=towers.EMBEDDING,
).to_dict()


@pytest.fixture(scope="module")
def fat(tmp_path_factory):
    """FatFormer's released layout with seeded tensors, its method, and its network on the CLIP of that file."""
    with torch.device("meta"):
        clip = CLIPModel(CLIPConfig.from_dict(CONFIG)).state_dict()
    shapes = {f"clip_model.{name}": t.shape for name, t in (to_openai(clip) | from_transformers(clip)).items()}
    shapes |= {"clip_model.logit_scale": (), "logit_scale": ()}
    shapes |= {name.replace("*.", towers.BLOCK): shape for name, shape in numbers("fatformer")["shapes"].items()}
    again = {}
    for new, old in (("image_encoder.", "clip_model.visual."), ("text_encoder.", "clip_model.")):
        parts = ("transformer.", "positional_embedding", "ln_final.", "text_projection")
        text = tuple(old + part for part in parts) if new[0] == "t" else old
        again |= {new + name.removeprefix(old): shape for name, shape in shapes.items() if name.startswith(text)}
    filters = {name: torch.zeros(tuple(shape)) for name, shape in (shapes | again).items() if "dwt_transform" in name}
    state = towers.released(shapes | again) | filters
    method = fatformer.METHOD(fatformer.Params(adapters=1))
    folder = tmp_path_factory.mktemp("clip")
    save(to_transformers(method.copies(state)["clip_vit_l14"]), CONFIG, folder)
    model = method.build({"clip_vit_l14": folder})
    checkpoint.fill(method, model, state, folder / "released.pth")
    return SimpleNamespace(method=method, state=state, model=model.eval())


@torch.no_grad()
def test_fatformer_gives_the_published_logits(fat):
    wanted = numbers("fatformer")
    assert len(fat.state) == wanted["count"]
    x = towers.views(towers.SIDE)
    tokens = fat.model.tokens(x)
    assert near(tokens[0, ::5, ::31], wanted["tokens"])
    assert near(fat.model.texts(tokens)[0, :, ::19], wanted["texts"])
    assert near(fat.model(x), wanted["logits"])


def test_fatformers_prompts_are_the_published_tokens(fat):
    p = fat.method.params
    texts = [[p.marks[0], *[343] * p.contexts, *name, p.marks[1], 0] for name in (p.real, p.fake)]
    assert texts == numbers("fatformer")["prompts"]


def test_a_fatformer_file_with_another_clip_or_unequal_names_is_told(fat):
    changed = dict(fat.state)
    for name in ("clip_model.ln_final.weight", "text_encoder.ln_final.weight"):
        changed[name] = changed[name] + 0.5
    assert "ln_final.weight" in fat.method.foreign(fat.model, changed)
    del changed["text_encoder.ln_final.weight"]
    changed["image_encoder.proj"] = changed["image_encoder.proj"] + 1
    with pytest.raises(UserError, match=r"image_encoder\.proj"):
        checkpoint.fill(fat.method, fat.model, changed, towers.BLOCK)


def test_fatformer_has_the_published_size_at_full_width():
    """16,930,881 values an adapter; 492,591,044 in all, of which CLIP's are 427,616,513."""
    with torch.device("meta"):
        adapter, cross = Adapter(1024), Cross(768, 768, 12)
    count = [sum(t.numel() for t in part.parameters()) for part in (adapter, cross)]
    assert count[0] == 16_930_881
    assert 427_616_513 + 3 * count[0] + 2 * count[1] + 8 * 768 == 492_591_044


@pytest.mark.parametrize("size", [(4, 6), (7, 7)])
def test_haars_bands_are_pywavelets_and_invertible(size):
    x = tensor(0, "haar", (2, 3, *size), like_normal=True)
    low, (across, down, diagonal) = pywt.dwt2(x.numpy(), "haar", mode="zero")
    assert haar(x).numpy() == pytest.approx(
        torch.stack([torch.from_numpy(b) for b in (low, across, down, diagonal)], 2).numpy(), abs=1e-6
    )
    assert torch.allclose(inverse_haar(haar(x))[..., : size[0], : size[1]], x, atol=1e-6)
    assert inverse_haar(haar(x)).shape[-2:] == tuple(2 * math.ceil(side / 2) for side in size)
