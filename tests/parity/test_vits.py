"""Detectors that are a vision transformer: the official logits and keys, and what their cards say."""

import numpy as np
import pytest
import torch

from bench import discover
from bench.detector import Facts, Sample
from bench.errors import UserError
from bench.nets.five_crops import covered, five
from bench.training import checkpoint
from bench.training.loader import padded
from methods._shared import random_state
from methods._shared.tensors import imagenet
from tests.parity import vits
from tests.parity.seeded import image, tensor
from tests.parity.test_parity import numbers


def view(method, rgb):
    return method.view(Sample(rgb, {}, Facts("png", 0, *rgb.shape[1::-1], 0)), "test", np.random.default_rng(0))


def loaded(method, keys):
    """The detector's network with seeded weights, given by the official names ``keys``."""
    model = method.build({})
    shapes = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    own = {key: next(iter(method.official({key: torch.zeros(1)}))) for key in keys}
    model.load_state_dict(method.official({key: tensor(0, key, shapes[own[key]]) for key in keys}))
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize("variant", ["", "224"])
def test_community_forensics_gives_the_official_logits_from_the_official_keys(variant):
    kind = discover.method("community_forensics")
    method = kind(kind.Params(**{**kind.variants.get(variant, {}), "depth": vits.DEPTH}))
    side = method.params.crop_size
    told = numbers("community_forensics")[f"{side}"]
    model = loaded(method, told["keys"])
    found = [model(imagenet(image(n, side, side))[None]).item() for n in (0, 1)]
    assert found == pytest.approx(told["logits"], abs=1e-4)


@torch.no_grad()
def test_b_free_gives_the_official_logits_alone_and_in_a_padded_batch():
    kind, told = discover.method("b_free"), numbers("b_free")
    method = kind(kind.Params(crop_size=vits.CROP, width=64, depth=2, heads=2))
    model = loaded(method, told["keys"])
    views = [view(method, image(n, *size)) for n, size in enumerate(vits.SIDES)]
    alone = [method.logit(model, {name: x[None] for name, x in one.items()}).item() for one in views]
    assert alone == pytest.approx(told["logits"], abs=1e-4)
    assert method.logit(model, padded(views)).tolist() == pytest.approx(told["logits"], abs=1e-4)


def test_b_frees_released_layout_is_read_and_another_file_is_refused(tmp_path):
    """Timm's plain names below ``model``; here at the small size, as five crops of ViT-B take minutes on a CPU."""
    kind = discover.method("b_free")
    method = kind(kind.Params(crop_size=vits.CROP, width=64, depth=2, heads=2))
    source, target = loaded(method, numbers("b_free")["keys"]), method.build({})
    state = {name.removeprefix("vit."): t for name, t in source.state_dict().items()}
    torch.save({"model": state}, tmp_path / "model_epoch_best.pth")
    checkpoint.fill(method, target, checkpoint.read(tmp_path / "model_epoch_best.pth"), tmp_path)
    assert all(torch.equal(t, source.state_dict()[name]) for name, t in target.state_dict().items())
    del state["reg_token"]
    with pytest.raises(UserError, match="does not fit B-Free"):
        checkpoint.fill(method, target, state, tmp_path)


def test_b_free_repeats_a_small_grid_and_cuts_both_axes():
    grid = torch.arange(14.0).reshape(1, 2, 7)
    made = covered(grid, 3)
    assert made[0].tolist() == [[0, 1, 2], [7, 8, 9], [0, 1, 2]]
    assert five(made, 3).shape == (1, 1, 3, 3)
    corners = five(torch.arange(20.0).reshape(1, 4, 5), 3)[:, 0, 0, 0]
    assert corners.tolist() == [1, 0, 5, 7, 2]


class Middle:
    """A generator that draws the middle of every range."""

    def uniform(self, low, high):
        return (low + high) / 2

    def integers(self, high):
        return high // 2


def test_community_forensics_keeps_the_ratio_of_parts_and_swaps_the_sides_of_padded_images():
    told, rgb = numbers("community_forensics"), image(0, 90, 60)
    parts = {random_state._part(image(0, 72, 60), 56, np.random.default_rng(n)).shape[1::-1] for n in range(200)}
    wide = [max(size) for size in told["parts"]]
    assert {min(size) for size in (*parts, *told["parts"])} == {56}
    assert (min(map(max, parts)), max(map(max, parts))) == pytest.approx((min(wide), max(wide)), abs=1)
    assert random_state._pad(rgb, 56, Middle()).shape == (90, 60, 3)
    assert random_state._pad(rgb, 56, Middle())[::9, ::9, 0].tolist() == told["padded"]
