"""Every number of a recipe as its paper or official code has it; the cards name both."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bench import discover
from bench.detector import Detector, Facts, Sample, is_baseline
from methods._shared import drct, recipes
from tests.unit.methods.published_recipes import DRCT, PARAMS, SCHEDULES
from bench.detector import Detector, Facts, Plateau, Sample, is_baseline
from methods._shared import drct, recipes

#: CNNDetection's early stop: patience 5, gains 0.001 and 0.002, a tenth of the rate, down to 1e-6.
CNNDETECTION = Plateau(5, (0.001, 0.002), 0.1, 1e-6)
RESNET50 = {"depths": (3, 4, 6, 3), "width": 64, "stride": 32}
DRCT = {"lr": 1e-4, "weight_decay": 4e-5, "cosine": 5, "epochs": 17}
#: Parameters of each detector.
PARAMS = {
    "cnnspot": {"load_size": 256, "crop_size": 224, "blur_prob": 0.5, "jpg_prob": 0.5, **RESNET50},
    "cnnspot[p01]": {"blur_prob": 0.1, "jpg_prob": 0.1},
    "gramnet": {"image_size": 512, "resize_from": (64, 256), "width": 64, "depths": (2, 2, 2, 2)},
    "univfd": {"load_size": 256, "crop_size": 224, "blur_prob": 0.5, "jpg_prob": 0.5},
    "conv_b": {"crop_size": 224, "depths": (3, 3, 27, 3), "dims": (128, 256, 512, 1024), "patch": 4, **DRCT},
    "drct": {"steps": 50, "max_size": 1024, "crop_size": 224, "embedding": 1024, "alpha": 0.3, **DRCT},
    "drct[w512]": {"embedding": 512},
    "drct_sare": {
        "sd_steps": 50,
        "strength": 0.5,
        "guidance_scale": 7.5,
        "long_side": 512,
        "multiple": 8,
        "heads": 8,
        "drct_steps": 50,
        "max_size": 1024,
        "crop_size": 224,
        "alpha": 0.0,
        **RESNET50,
        **DRCT,
    },
    "dire": {"image_size": 256, "steps": 20, "load_size": 256, "crop_size": 224, "clip_denoised": True, **RESNET50},
    "dire[drct]": {"model": "inpaint", "steps": 50, "max_size": 1024, **DRCT},
    "defake": {"image_size": 224, "normalise": "clip"},
    "lare2": {"size": 256, "timestep": 200, "ensemble": 4, "crop_size": 224, "template": "a photo of a [CLS]"},
    "fredect": {"load_size": 256, "crop_size": 224, **RESNET50},
    "fusing": {"crop_size": 224, "blur_prob": 0.1, "jpg_prob": 0.1, **RESNET50},
    "lnp": {"load_size": 256, "crop_size": 224, "pattern": "official", **RESNET50},
    "lgrad": {"load_size": 256, "crop_size": 224, **RESNET50},
    "semgir": {"sd_size": 512, "sd_steps": 50, "guidance_scale": 7.5, "image_size": 288, "regenerator": "sdv15"},
    "semgir_a": {"sd_size": 512, "sd_steps": 50, "guidance_scale": 7.5, "image_size": 288},
    "npr": {"geometry": "tile", "crop_size": 224, "depths": (3, 4), "width": 64},
    "npr[resize]": {"geometry": "resize", "load_size": 256, "crop_size": 224},
    "freqnet": {"geometry": "resize", "load_size": 256, "crop_size": 224, "depths": (3, 4), "width": 64},
    "ladeda": {"load_size": 256, "crop_size": 224, "depths": (3, 4, 6, 3), "width": 64, "sees": "npr"},
    "ladeda[tiny]": {"tiny": True, "sees": "gradient"},
    "safe": {
        "crop_size": 256,
        "rotation": 180.0,
        "jitter": 0.5,
        "mask_prob": 0.5,
        "mask_ratio": 0.75,
        "mask_size": 16,
        "smoothing": 0.1,
        "depths": (3, 4),
        "width": 64,
    },
    "rine": {"layers": 2, "width": 1024, "factor": 0.2, "crop_size": 224, "blur_prob": 0.5, "jpg_prob": 0.5},
    "rine[1class]": {"layers": 4, "width": 1024, "factor": 0.1},
    "rine[2class]": {"layers": 4, "width": 128, "factor": 0.2},
    "rine[ldm]": {"layers": 4, "width": 1024, "factor": 0.4, "epochs": 5},
    "aeroblade": {"autoencoders": ("sd1_vae", "sd2_vae", "kandinsky_movq"), "layer": 2, "quantise": True},
    "fire": {
        "crop_size": 256,
        "resize": False,
        "low": 40,
        "high": 120,
        "class_share": 0.6,
        "middle_share": 0.2,
        "mask_share": 0.2,
        **RESNET50,
    },
    "d3": {"load_size": 256, "crop_size": 224, "patch": 14, "blur_prob": 0.5, "jpg_prob": 0.5},
}
#: Optimiser, rate, decay, batch, epochs, and what else the schedule says.
SCHEDULES = {
    "cnnspot": ("adam", 1e-4, 0.0, 64, 10_000, {"plateau": CNNDETECTION}),
    "gramnet": ("adam", 1e-5, 1e-4, 16, 5, {"keep_best": False}),
    "univfd": ("adamw", 1e-4, 0.0, 256, 100, {"plateau": CNNDETECTION}),
    "conv_b": ("adamw", 1e-4, 4e-5, 128, 17, {"cosine": 5, "keep_best": True}),
    "drct": ("adamw", 1e-4, 4e-5, 512, 17, {"cosine": 5, "keep_best": True}),
    "drct_sare": ("adamw", 1e-4, 4e-5, 512, 17, {"cosine": 5, "keep_best": True}),
    "dire": ("adam", 1e-4, 0.0, 64, 400, {"plateau": CNNDETECTION}),
    "defake": ("adam", 3e-4, 0.0, 32, 50, {"plateau": None, "keep_best": False}),
    "lare2": ("adam", 1e-4, 0.0, 48, 30, {"clip_norm": 5.0, "plateau": Plateau(5, (1e-6, 1e-6), 0.5, 1e-7)}),
    "fredect": ("adam", 1e-4, 0.0, 64, 1000, {"plateau": CNNDETECTION}),
    "fredect[cnn]": ("adam", 1e-3, 0.0, 32, 50, {}),
    "fredect[linear]": ("adam", 1e-3, 0.02, 32, 50, {}),
    "fusing": ("adam", 5e-5, 0.0, 128, 10_000, {"plateau": Plateau(10, (1e-4, 5e-5), 0.5, 1e-6)}),
    "lnp": ("adam", 1e-4, 0.0, 64, 10_000, {"plateau": CNNDETECTION}),
    "lgrad": ("adam", 5e-4, 0.0, 16, 100, {"step_size": 10, "gamma": 0.8, "keep_best": False}),
    "semgir": ("adam", 1e-4, 0.0, 32, 20, {"keep_best": True, "rate_factors": {"encoder.": 0.1}}),
    "semgir_a": ("adam", 1e-4, 0.0, 32, 20, {"keep_best": True}),
    "npr": ("adam", 2e-4, 0.0, 32, 50, {"step_size": 10, "gamma": 0.9, "keep_best": False}),
    "freqnet": ("adam", 1e-3, 0.0, 32, 85, {"step_size": 10, "gamma": 0.9, "keep_best": False}),
    "ladeda": ("adam", 2e-4, 0.0, 32, 1000, {"plateau": Plateau(15, (0.001, 0.002), 0.9, 1e-6)}),
    "safe": ("adamw", 5e-3, 0.01, 128, 20, {"cosine": 20, "keep_best": False}),
    "rine": ("adam", 1e-3, 0.0, 128, 1, {"plateau": None, "keep_best": False}),
    # torch's ReduceLROnPlateau lowers the rate after more bad epochs than its patience of 5.
    "fire": ("adam", 1e-4, 0.0, 24, 100, {"plateau": Plateau(6, (2e-4, 2e-4), 0.1, 1e-6, "loss")}),
    "d3": ("adamw", 1e-4, 0.0, 256, 100, {"plateau": CNNDETECTION}),
    **{
        f"{name}[drct]": ("adamw", 1e-4, 4e-5, batch, 17, {"cosine": 5, "keep_best": True})
        for name, batch in (
            *(("cnnspot", 128), ("gramnet", 128), ("dire", 128), ("defake", 128), ("fredect", 128)),
            *(("fusing", 128), ("lnp", 128), ("lgrad", 128), ("univfd", 512)),
        )
    },
}


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


@pytest.mark.parametrize("name", ["cnnspot", "univfd", "dire", "fredect", "fusing", "lnp", "lgrad", "effort"])
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
