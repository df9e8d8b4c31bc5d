"""Detectors that choose patches by their texture: the published networks' logits and keys, and what they prepare."""

import numpy as np
import pytest
import torch
from torchvision import transforms

from bench import discover
from bench.detector import Facts, Sample
from bench.nets.patchcraft import TextureContrast
from bench.nets.srm import srm
from methods._shared.texture import contrast, degraded
from tests.parity.seeded import image
from tests.parity.test_parity import numbers
from tests.parity.texture import GAIN, PICTURES, SEED, filled, pair, sloped


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
