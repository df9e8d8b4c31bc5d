"""Every number of a recipe as its paper or official code has it; the cards name both."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bench import discover
from bench.detector import Detector, Facts, Sample, is_baseline
from methods._shared import drct, recipes
from tests.unit.methods.published_recipes import DRCT, PARAMS, SCHEDULES


def instance(name):
    base, _, variant = name.partition("[")
    kind = discover.method(base)
    return kind(kind.Params(**(kind.variants[variant[:-1]] if variant else {})))


@pytest.mark.parametrize("name", PARAMS)
def test_parameters_are_the_published_ones(name):
    params = instance(name).params
    assert {key: getattr(params, key) for key in PARAMS[name]} == PARAMS[name]


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_the_published_ones(name):
    optimizer, lr, decay, batch, epochs, more = SCHEDULES[name]
    plan = instance(name).schedule()
    found = (plan.optimizer, plan.lr, plan.weight_decay, plan.batch_size, plan.epochs)
    assert found == (optimizer, lr, decay, batch, epochs)
    assert plan.betas == (0.9, 0.999)
    for key, value in more.items():
        assert getattr(plan, key) == (pytest.approx(value) if isinstance(value, dict) else value), key


def test_every_detector_is_held():
    detectors = {name for name in discover.methods() if not is_baseline(discover.method(name))}
    assert {name.partition("[")[0] for name in PARAMS} == detectors
    trained = {name for name in detectors if issubclass(discover.method(name), Detector)}
    assert {name.partition("[")[0] for name in SCHEDULES} == trained


@pytest.mark.parametrize(
    "name", ["cnnspot", "univfd", "fusing", "lnp", "lgrad", "dire", "npr", "freqnet", "ladeda", "effort", "fatformer"]
)
def test_half_of_all_training_views_are_mirrored(name, monkeypatch):
    """RandomHorizontalFlip's one half, without blur and JPEG, on an image whose left half is white."""
    kind = discover.method(name)
    off = {key: 0.0 for key in ("blur_prob", "jpg_prob") if hasattr(kind.Params(), key)}
    same = {key: 16 for key in ("load_size", "crop_size", "image_size") if hasattr(kind.Params(), key)}
    method = kind(kind.Params(**off, **same))
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:, :8] = 200
    given = {"noise": rgb, "gradient": rgb, "reconstruction": rgb}
    shown = np.zeros_like(rgb) if name == "dire" else rgb
    sample = Sample(shown, given, Facts("png", 0, 16, 16, 0))
    left = []
    for seed in range(600):
        x = method.view(sample, "train", np.random.default_rng(seed))
        x = x["full"] if name == "fusing" else x["image"]
        left.append(bool(x[0, :, :4].mean() > x[0, :, -4:].mean()))
    assert np.mean(left) == pytest.approx(0.5, abs=4 * 0.5 / 600**0.5)


def test_dires_map_is_an_absolute_difference():
    kind = discover.method("dire")
    method = kind(kind.Params(image_size=16, load_size=16, crop_size=16))
    dark, light = np.full((16, 16, 3), 40, np.uint8), np.full((16, 16, 3), 65, np.uint8)
    views = [
        method.view(Sample(a, {"reconstruction": b}, Facts("png", 0, 16, 16, 0)), "test", np.random.default_rng(0))
        for a, b in ((dark, light), (light, dark))
    ]
    assert torch.equal(views[0]["image"], views[1]["image"])
    wanted = (25 / 255 - 0.485) / 0.229
    assert float(views[0]["image"][0, 3, 3]) == pytest.approx(wanted, abs=1e-5)


def test_dires_map_in_drcts_recipe_goes_to_two():
    method = instance("dire[drct]")
    method = type(method)(type(method.params)(**{**vars(method.params), "crop_size": 16}))
    black, white = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    for a, b in ((black, white), (white, black)):
        x = method.view(Sample(a, {"reconstruction": b}, Facts("png", 0, 16, 16, 0)), "test", np.random.default_rng(0))
        assert torch.allclose(x["image"], torch.full((3, 16, 16), 2.0))


class Fixed(torch.nn.Module):
    """A network whose outputs are given."""

    def __init__(self, *outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, *_):
        return self.outputs[0] if len(self.outputs) == 1 else self.outputs


LABELS = torch.tensor([0, 1, 1, 0])
LOGITS = torch.tensor([[2.0, -1.0], [0.5, 0.75], [1.0, 3.0], [-0.5, 0.25]])
INPUTS = {key: torch.zeros(4, 3, 4, 4) for key in ("image", "text", "error", "regenerated", "sare", "full", "size")}


@pytest.mark.parametrize(
    "name", ["conv_b", "defake", "lare2", "gramnet", "semgir", "semgir_a", "effort[demo]", "fatformer"]
)
def test_two_logits_are_real_and_fake(name):
    method, batch = instance(name), {**INPUTS, "label": LABELS}
    assert torch.allclose(method.logit(Fixed(LOGITS), batch), LOGITS[:, 1] - LOGITS[:, 0])
    assert torch.allclose(method.loss(Fixed(LOGITS), batch), F.cross_entropy(LOGITS, LABELS))


@pytest.mark.parametrize(
    "name", ["cnnspot", "univfd", "dire", "fakeinversion", "fredect", "fusing", "lnp", "lgrad", "effort"]
)
def test_one_logit_is_fakes(name):
    method, batch = instance(name), {**INPUTS, "label": LABELS}
    one = LOGITS[:, :1]
    assert torch.equal(method.logit(Fixed(one), batch), one[:, 0])
    wanted = F.binary_cross_entropy_with_logits(one[:, 0], LABELS.float())
    assert torch.allclose(method.loss(Fixed(one), batch), wanted)


def test_drcts_loss_is_seven_tenths_cross_entropy_and_three_tenths_contrast():
    method, features = instance("drct"), torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    batch = {**INPUTS, "label": LABELS}
    wanted = 0.7 * F.cross_entropy(LOGITS, LABELS) + 0.3 * drct.contrastive(features, LABELS, 0.0, 1.0)
    assert torch.allclose(method.loss(Fixed(LOGITS, features), batch), wanted)
    assert torch.allclose(method.logit(Fixed(LOGITS, features), batch), LOGITS[:, 1] - LOGITS[:, 0])
    examples = [(e.pixels, e.label) for e in method.examples()]
    assert examples == [("image", None), ("reconstruction", 1)]


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_sares_loss_is_binary_cross_entropy(alpha):
    kind = discover.method("drct_sare")
    method, features = kind(kind.Params(alpha=alpha)), torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    one, batch = LOGITS[:, 0], {**INPUTS, "label": LABELS}
    plain = F.binary_cross_entropy_with_logits(one, LABELS.float())
    wanted = (1 - alpha) * plain + alpha * drct.contrastive(features, LABELS)
    assert torch.allclose(method.loss(Fixed(one, features), batch), wanted)
    assert torch.equal(method.logit(Fixed(one, features), batch), one)
    assert [(e.pixels, e.label) for e in method.examples()] == [("image", None), ("drct", 1)]


def test_lnps_map_wraps_as_bytes_do_and_changes_red_and_blue():
    kind = discover.method("lnp")
    method = kind(kind.Params(load_size=4, crop_size=4))
    noise = np.zeros((4, 4, 3), np.uint8)
    noise[..., 0], noise[..., 1], noise[..., 2] = 0, 1, 7
    sample = Sample(noise, {"noise": noise}, Facts("png", 0, 4, 4, 0))
    x = method.view(sample, "test", np.random.default_rng(0))["image"][:, 0, 0]
    mean, std = np.asarray((0.485, 0.456, 0.406)), np.asarray((0.229, 0.224, 0.225))
    assert (x.numpy() * std + mean) * 255 == pytest.approx([249, 255, 0], abs=1e-3)


def test_drcts_recipe_is_two_gpus_of_64():
    assert recipes.DRCT == {"recipe": "drct", **DRCT, "batch_size": 128}
