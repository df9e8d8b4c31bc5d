"""Detectors that choose patches by their texture: the published networks' logits and keys, and what they prepare."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import transforms

from bench import discover
from bench.detector import Facts, Sample
from bench.nets.patchcraft import TextureContrast
from bench.nets.resnet import RESNET50, ResNet, Shape
from bench.nets.srm import srm
from methods._shared.aide import Experts, Widths, extremes
from methods._shared.backbones import convnext
from methods._shared.tensors import chw
from methods._shared.texture import contrast, degraded
from tests.parity.seeded import image, tensor
from tests.parity.test_parity import numbers
from tests.parity.texture import AIDE_GAIN, GAIN, PICTURES, SEED, TRUNK, filled, five, layout, pair, sloped


def shown(name, rgb, stage="test", seed=0, **params):
    kind = discover.method(name)
    sample = Sample(rgb, {}, Facts("png", 0, *rgb.shape[1::-1], 1))
    return kind(kind.Params(**params)).view(sample, stage, np.random.default_rng(seed))["image"]


def test_the_filters_are_the_published_ones():
    wanted = np.asarray(numbers("patchcraft")["filters"], np.float32) / 12
    assert srm().flatten(1).numpy() == pytest.approx(wanted, abs=1e-7)


@torch.no_grad()
def test_patchcraft_prepares_the_published_images_and_gives_the_published_logits():
    wanted, model = numbers("patchcraft"), filled(TextureContrast(), "group1.hpf.weight", GAIN)
    assert sorted(model.state_dict()) == wanted["keys"]
    assert model(pair()).item() == pytest.approx(wanted["pair"], abs=1e-4)
    for picture, (sums, corners), logit in zip(PICTURES, wanted["prepared"], wanted["logits"], strict=True):
        x = shown("patchcraft", sloped(*picture))
        assert x.sum((1, 2, 3)).tolist() == pytest.approx(sums, rel=1e-6)
        assert x[:, 0, ::67, ::71].numpy() == pytest.approx(np.asarray(corners), abs=1e-6)
        assert model(x[None]).item() == pytest.approx(logit, abs=1e-4)


def test_patchcrafts_filters_are_not_trained():
    model = TextureContrast()
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["group1.hpf.weight"]


def test_the_textures_of_patchcraft_are_filtered_colour_by_colour_and_not_truncated():
    model, x = TextureContrast(), torch.rand(2, 3, 9, 11) * 255
    made = model.group1(x)
    alone = torch.nn.functional.conv2d(x[:, 1:2], srm(), padding=2)
    assert torch.allclose(made[:, 30:60], alone, atol=1e-4)
    assert float(made.abs().max()) > 3


def test_an_image_below_a_patch_is_resized_to_one():
    rgb = image(0, 40, 20)
    small = transforms.ToTensor()(transforms.Resize((32, 32))(transforms.ToPILImage()(rgb)))
    assert torch.equal(contrast(rgb, 256, 8, SEED), small.repeat(2, 1, 8, 8).view(2, 3, 256, 256))


def test_patchcraft_draws_other_patches_in_training_but_not_in_testing():
    views = {
        stage: [shown("patchcraft", sloped(0, 90, 80), stage, n, degraded_prob=0.0) for n in (0, 1)]
        for stage in ("train", "test")
    }
    assert torch.equal(*views["test"])
    assert not torch.equal(*views["train"])
    poor, rich = views["train"][0].diff(dim=-1).abs().mean((1, 2, 3))
    assert poor < rich


def test_degraded_images_are_smaller_smoother_or_compressed():
    rgb = image(0, 80, 60)
    assert degraded(rgb, 0.0, np.random.default_rng(0)) is rgb
    made = [degraded(rgb, 1.0, np.random.default_rng(n)).shape for n in range(50)]
    assert {(len(shape), shape[2]) for shape in made} == {(3, 3)}
    assert 15 <= min(shape[0] for shape in made) < max(shape[0] for shape in made) <= 30


def aide(folder, **params):
    """AIDE's network with seeded weights on a ConvNeXt whose seeded weights lie in a folder."""
    kind = discover.method("aide")
    method = kind(kind.Params(**TRUNK, **params))
    prefix = "openclip_convnext_xxl."
    trunk = convnext(method.params, 0, None, 1e-5).state_dict()
    drawn = {name: tensor(0, f"{prefix}{name}", tuple(t.shape)) for name, t in trunk.items()}
    drawn = {name: t * AIDE_GAIN if t.dim() > 1 else t for name, t in drawn.items()}
    save_file(drawn, folder / "model.safetensors")
    return filled(method.build({"clip_convnext_xxl": folder}), "hpf.hpf.weight", AIDE_GAIN)


@torch.no_grad()
def test_aide_gives_the_published_logits(tmp_path):
    model = aide(tmp_path)
    assert model(five())[0].tolist() == pytest.approx(numbers("aide")["logits"], abs=1e-4)
    assert (model(five())[0] - model(five().flip(1))[0]).abs().max() > 0.1  # They depend on the images.


def test_aides_released_layout_is_that_of_its_defaults():
    """All names and shapes: ours, the ConvNeXt's and those of the classifiers that are never used."""
    method = discover.method("aide")
    p = method.Params()
    with torch.device("meta"):
        trunk = convnext(p, 0, None, 1e-5)
        lows, highs = (ResNet(Shape(inside=30), classes=1000) for _ in range(2))
        own = Experts(trunk, lows, highs, Widths(p.projection, p.hidden)).state_dict()
    assert (p.resnet_depths, p.resnet_width) == (RESNET50.depths, RESNET50.width)
    whole = {**own, **{f"openclip_convnext_xxl.{name}": t for name, t in trunk.state_dict().items()}}
    assert layout(whole) == numbers("aide")["layout"]
    left = method(p).official(whole)
    assert set(own) - set(left) == {f"model_{kind}.fc.{n}" for kind in ("min", "max") for n in ("weight", "bias")}
    assert set(left) <= set(own)
    assert {m.eps for m in trunk.modules() if hasattr(m, "eps")} == {1e-5}


def test_aide_chooses_the_published_windows():
    """In the published order; they are compared after the DCT and back."""
    for picture, wanted in zip(PICTURES, numbers("aide")["windows"], strict=True):
        found = extremes(chw(sloped(*picture)), 32, 16)
        assert found[:, :, ::9, ::11].numpy() == pytest.approx(np.asarray(wanted), abs=1e-5)


def test_one_window_is_the_lowest_and_the_highest():
    x = chw(image(0, 40, 33))
    assert torch.allclose(extremes(x, 32, 16), x[:, :32, :32].expand(4, 3, 32, 32), atol=1e-5)
    assert shown("aide", image(0, 20, 25)).shape == (5, 3, 256, 256)


def test_aides_projection_filters_and_convnext_are_not_trained(tmp_path):
    model = aide(tmp_path, resnet_depths=(1, 1, 1, 1), resnet_width=4)
    fixed = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert fixed == {"hpf.hpf.weight", "convnext_proj.0.weight", "convnext_proj.0.bias"}
    model.train()
    assert not model.trunk.training
    assert not any(p.requires_grad for p in model.trunk.parameters())


def test_aide_smooths_labels():
    kind, logits = discover.method("aide"), torch.tensor([[2.0, -1.0], [0.5, 0.75]])
    chances, labels = logits.log_softmax(1), torch.tensor([0, 1])
    wanted = -(0.9 * chances[[0, 1], labels] + 0.1 * chances.mean(1)).mean()
    method = kind(kind.Params())
    assert torch.isclose(method.loss(lambda x: x, {"image": logits, "label": labels}), wanted)
    assert torch.equal(method.logit(lambda x: x, {"image": logits}), logits[:, 1] - logits[:, 0])
