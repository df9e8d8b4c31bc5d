"""Detectors in or above the blocks of a vision transformer: the published logits, files in the authors' names."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import pywt
import torch
from torchvision.transforms.functional import five_crop
from transformers import CLIPConfig, CLIPModel

from bench.errors import UserError
from bench.nets.clip import save, to_openai, to_transformers
from bench.nets.clip_text import from_transformers
from bench.nets.mfm import MFM, load_mfm
from bench.nets.wavelet import haar, inverse_haar
from bench.training import checkpoint
from bench.training.loader import padded
from methods import fatformer
from methods import spai as spai_method
from methods._shared import spai
from methods._shared.clip import MEAN, STD, PatchTokens
from methods._shared.fatformer import Adapter, Cross
from methods._shared.tensors import IMAGENET_MEAN, IMAGENET_STD
from tests.parity import openai, towers
from tests.parity.seeded import tensor
from tests.parity.test_clip_family import _layout as clip_layout
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


def small_spai(tower, side, mean, std):
    """SPAI's small network; the file of the first one in the authors' names has its shapes from :func:`towers.spai`."""
    s = towers.SPAI
    shape = spai.Shape(side, s["radius"], 4, s["projection"], s["attention"], 4, 3, 0.02, 0.5, mean, std)
    return spai.SPAI(tower, shape).eval()


def mfm():
    s = towers.SPAI
    return MFM(s["side"], s["patch"], s["width"], s["depth"], s["heads"])


def released_spai():
    """Seeded tensors by the authors' names, those of all blocks, and the disc of low frequencies."""
    shapes = {}
    for name, shape in numbers("spai")["shapes"].items():
        again = re.search(r"(?<!cls_)(blocks|projectors|intermediate_fc_norm)\.0\.", name)
        for number in range(towers.SPAI["depth"] if again else 1):
            shapes[name.replace(again[0], f"{again[1]}.{number}.") if again else name] = shape
    assert len(shapes) == numbers("spai")["count"]
    state = {name: tensor(0, name, tuple(shape)) for name, shape in shapes.items()}
    return state | {"mfvit.frequencies_mask": spai.disc(towers.SPAI["side"], towers.SPAI["radius"])}


def published_name(name):
    """The authors' name of a trained tensor."""
    homes = {"projectors.": "mfvit.features_processor.patch_projector.", "head.": "cls_head."}
    homes["summary."] = "mfvit.features_processor.original_features_processor."
    if name.startswith("to_out."):
        return name.replace("to_out.", "to_out.0.")
    home = next((home for part, home in homes.items() if name.startswith(part)), "")
    return home + (name.removeprefix("summary.") if home else name)


def scored(model, images):
    sizes = torch.tensor([image.shape[1:] for image in images])
    return model(padded([{"full": image} for image in images])["full"], sizes)[:, 0]


@torch.no_grad()
def test_spai_gives_the_published_logits(tmp_path):
    wanted, model, method = numbers("spai"), small_spai(mfm(), 32, IMAGENET_MEAN, IMAGENET_STD), spai_method.METHOD
    checkpoint.fill(method(method.Params()), model, released_spai(), tmp_path)
    images = [towers.canvas(n) for n in range(len(towers.CANVASES))]
    x = images[0][None, :, :32, :32]
    assert model.mask.sum(1).tolist() == wanted["mask"]
    assert near(model.bands(x)[0][0, :, ::9, ::7], np.clip(wanted["low"], 0, 1))
    assert near(model.features(x)[0, ::5], wanted["features"])
    assert near(scored(model, images), wanted["logits"])


@torch.no_grad()
def test_spai_on_clip_gives_the_published_logits(tmp_path):
    state = {name: tensor(0, name, shape) for name, shape in clip_layout().items()}
    tower = PatchTokens(openai.save(state, tmp_path))
    model = small_spai(tower, openai.SIDE, MEAN, STD)
    kept = {name: t for name, t in model.state_dict().items() if name.startswith("vit.") or name == "mask"}
    theirs = {published_name(name): tuple(t.shape) for name, t in model.state_dict().items() if name not in kept}
    method = spai_method.METHOD(spai_method.Params(backbone="clip"))
    trained = method.official({name: tensor(0, name, shape) for name, shape in theirs.items()})
    model.load_state_dict({**kept, **trained})
    images = [towers.canvas(n).repeat(1, 2, 2) for n in range(len(towers.CANVASES))]
    assert near(scored(model, images), numbers("spai")["clip"])


def test_spais_patches_are_the_corners_and_the_centre_if_they_are_few():
    model = small_spai(mfm(), 32, IMAGENET_MEAN, IMAGENET_STD)
    x = torch.arange(3 * 64 * 100.0).view(3, 64, 100)
    assert torch.equal(
        model.patches(x), torch.stack([x[:, r : r + 32, c : c + 32] for r in (0, 32) for c in (0, 32, 64)])
    )
    crops = five_crop(x[:, :63, :90], [32, 32])
    assert torch.equal(model.patches(x[:, :63, :90]), torch.stack(crops))


def test_spais_disc_is_half_a_sample_off_and_its_size_the_published_one():
    mask = spai.disc(224, 16)
    assert int(mask.sum()) == 856
    assert mask.any(1).nonzero().flatten().tolist() == list(range(96, 128))
    method = spai_method.METHOD(spai_method.Params())
    with torch.device("meta"):
        model = method.build({})
    unused = 2 * 768 + 197 * 768 + 768 + 7_087_104 + 12 * 2 * 768 + 2 * 9216 + 2
    assert sum(t.numel() for t in model.state_dict().values()) + unused == 139_945_243


def test_mfms_file_is_read_below_its_encoder(tmp_path):
    state = {f"encoder.{name}": tensor(0, name, tuple(t.shape)) for name, t in mfm().state_dict().items()}
    extra = {"encoder.fc_norm.weight": torch.ones(48), "decoder.0.weight": torch.ones(1)}
    torch.save({"model": state | extra}, tmp_path / "mfm_pretrain_vit_base.pth")
    network = mfm()
    load_mfm(network, tmp_path)
    assert torch.equal(network.cls_token, state["encoder.cls_token"])
    del state["encoder.cls_token"]
    torch.save({"model": state}, tmp_path / "mfm_pretrain_vit_base.pth")
    with pytest.raises(UserError, match="cls_token"):
        load_mfm(network, tmp_path)
