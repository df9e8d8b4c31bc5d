from functools import partial

import numpy as np
import pytest
import torch

from bench import device as devices
from bench.artefacts.batching import Batcher
from bench.artefacts.engine import Request
from bench.artefacts.engines import adm_inversion, blip, clip_image, sd_img2img
from bench.data.decode import decode
from bench.errors import UserError
from bench.models.zoo import Zoo
from bench.nets.latent_diffusion import LatentDiffusion
from bench.numerics import PRECISIONS, REFERENCE, Numerics, autocast, choose
from bench.predict import options
from bench.progress import Meter
from bench.recipe import SOURCE, Recipe
from tests.conftest import picture


@pytest.mark.parametrize(
    ("precision", "deterministic", "device", "chosen"),
    [
        ("auto", None, "cpu", ("fp32", True)),
        ("auto", True, "cpu", ("fp32", True)),
        ("auto", False, "cpu", ("fp32", False)),
        ("bf16", None, "cpu", ("bf16", True)),
        ("auto", None, "cuda", ("bf16", False)),
        ("auto", True, "cuda", ("fp32", True)),
        ("fp16", None, "cuda", ("fp16", False)),
        ("tf32", True, "cuda", ("tf32", True)),
    ],
)
def test_auto_is_exact_on_a_cpu_and_fast_on_a_gpu(monkeypatch, precision, deterministic, device, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    made = choose(precision, deterministic, device)
    assert (made.precision, made.exact) == chosen
    assert bool(made.device) == (device == "cuda")


def test_artefacts_of_a_users_images_on_a_gpu_are_not_those_of_the_reference(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert options._numerics("cpu", "bf16") == REFERENCE
    monkeypatch.setattr(devices, "present", lambda name: "cuda")
    assert options._numerics("auto", "bf16") == Numerics("bf16", "a GPU", exact=True)
    assert options._numerics("auto", "fp32") == Numerics("fp32", "a GPU", exact=True)


@pytest.mark.parametrize(("precision", "told"), [("bf17", "no precision 'bf17'"), ("tf32", "needs a GPU")])
def test_a_precision_that_cannot_be_is_told(precision, told):
    with pytest.raises(UserError, match=told):
        choose(precision, None, "cpu")


def test_artefacts_of_other_numerics_have_other_keys_and_the_reference_keeps_its_own():
    recipe = sd_img2img.recipe(blip.recipe()).bind(SOURCE)
    hashes = {"sdv1": "a", "blip": "b"}
    reference = recipe.resolve(hashes, REFERENCE.describe())
    assert reference == recipe.resolve(hashes)
    assert "numerics" not in reference.describe()
    others = [Numerics(p, device, exact) for p in PRECISIONS for device in ("", "A", "B") for exact in (True, False)]
    keys = {recipe.resolve(hashes, numerics.describe()).key for numerics in others}
    assert len(keys) == len(others)
    bf16 = recipe.resolve(hashes, Numerics("bf16").describe())
    assert bf16.inputs["caption"].numerics["precision"] == "bf16"
    assert Recipe.read(bf16.describe()) == bf16


def test_what_evaluates_no_network_has_no_numerics():
    window = Recipe("aligned", 1, {"size": 64}, inputs={"image": SOURCE})
    made = blip.recipe().bind(window).resolve({"blip": "b"}, Numerics("bf16").describe())
    assert made.inputs["image"] == window


@pytest.mark.parametrize("half", ["bf16", "fp16"])
def test_a_pipeline_in_half_precision_is_close_to_single(half):
    folder = Zoo("mini").folder("sdv1")
    single, made = LatentDiffusion(folder, "cpu"), LatentDiffusion(folder, "cpu", Numerics(half))
    assert {p.dtype for p in made.unet.parameters()} == {{"bf16": torch.bfloat16, "fp16": torch.float16}[half]}
    assert {p.dtype for p in made.vae.parameters()} == {torch.float32}  # On a CPU.
    x = torch.randn((2, *single.latent_shape(picture(0, 64, 64))), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        want = single.noise(x, 500, single.condition(["a red disc", ""]))
        got = made.noise(x, 500, made.condition(["a red disc", ""]))
    assert got.dtype == torch.float32
    assert 0 < float((got - want).abs().max()) < 0.05 * float(want.abs().max())


def run(recipe, numerics, images):
    zoo = Zoo("mini", numerics=numerics)
    from bench import discover

    engine = discover.engine(recipe.engine)()
    engine.load(zoo.resolve(recipe), zoo, "cpu", Meter())
    half = numerics.half if engine.half else ""
    batcher = Batcher(engine, numerics.exact, context=lambda: autocast("cpu", half))
    requests = [Request(f"{i:032x}", image, {"caption": "a"}) for i, image in enumerate(images)]
    return batcher.make(partial(lambda request: request, request) for request in requests)


@pytest.mark.parametrize("recipe", [adm_inversion.recipe(10, 32), sd_img2img.recipe(None, steps=8, long_side=64)])
def test_reconstructions_in_half_precision_differ_by_less_than_a_level(recipe):
    recipe, images = recipe.bind(SOURCE), [picture(i, 64, 64, 4.0) for i in range(2)]
    single, half = run(recipe, REFERENCE, images), run(recipe, Numerics("bf16"), images)
    drift = [
        np.abs(decode(single[name]).rgb.astype(int) - decode(half[name]).rgb.astype(int)).mean() for name in single
    ]
    assert 0 < max(drift) < 1


def test_embeddings_in_half_precision_point_the_same_way():
    from safetensors.numpy import load

    recipe, images = clip_image.recipe().bind(SOURCE), [picture(i, 64, 64) for i in range(3)]
    for one, other in zip(
        run(recipe, REFERENCE, images).values(), run(recipe, Numerics("bf16"), images).values(), strict=True
    ):
        a, b = load(one)["value"], load(other)["value"]
        assert a.dtype == b.dtype == np.float32
        assert 0.99 < a @ b / np.linalg.norm(a) / np.linalg.norm(b) < 1.0001


def test_settings_of_fits_are_part_of_their_keys_alone():
    gpu = Numerics("bf16", "a GPU", exact=False)
    both = gpu.for_fits(8, 1, alone=True)
    assert both.describe() == gpu.describe() == gpu.describe_fit()
    assert both.describe_fit() == gpu.describe() | {"micro_batch": "8"}
    assert both.of_fits() == {"micro_batch": "8"}  # The device's name is none of them.
    assert Numerics().for_fits(0, 2, alone=True).describe_fit() == {"devices_per_fit": "2"}
    assert Numerics().for_fits(0, 2, alone=True).describe() == {}
