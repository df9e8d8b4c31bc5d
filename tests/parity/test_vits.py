"""Detectors that are a vision transformer: the official logits and keys, and what their cards say."""

import numpy as np
import pytest
import torch

from bench import discover
from methods._shared import random_state
from methods._shared.tensors import imagenet
from tests.parity import vits
from tests.parity.seeded import image, tensor
from tests.parity.test_parity import numbers


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
