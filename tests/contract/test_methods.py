"""What every method must do, whatever it is; a new file in methods/ is tested the moment it exists."""

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image

from bench import discover
from bench.artefacts.geometry import center_crop_arr, fit_long_side, limit_sides
from bench.detector import STAGES, Detector, Facts, Sample, Statistic
from bench.errors import UserError
from bench.metrics import classification
from bench.models.catalogue import MODELS
from bench.models.zoo import Zoo
from bench.progress import Meter, Progress
from bench.recipe import Recipe
from bench.suites import suite as suites
from bench.training import network, statistic
from bench.training.examples import Reference, permuted, references
from bench.training.loader import Runtime, padded
from bench.types import Slice
from tests.conftest import item, picture

SUITE, ZOO = suites.load("mini"), Zoo("mini")
NETWORKS = [n for n in discover.methods() if issubclass(discover.method(n), Detector)]
STATISTICS = [n for n in discover.methods() if issubclass(discover.method(n), Statistic)]


class Strict(dict):
    """Artefacts that refuse what was not declared."""

    def __missing__(self, name):
        raise AssertionError(f"asked for the undeclared artefact {name!r}")


#: The size at which each engine returns its image.
GEOMETRY = {
    "ddim_inversion": lambda rgb, p: center_crop_arr(rgb, p["size"]),
    "adm_inversion": lambda rgb, p: center_crop_arr(rgb, p["size"]),
    "sd_img2img": lambda rgb, p: fit_long_side(rgb, p["long_side"], p["multiple"]),
    "discriminator_gradient": lambda rgb, p: np.asarray(Image.fromarray(rgb).resize((64, 64))),
    "noise_residual": lambda rgb, p: rgb,
    "txt2img": lambda rgb, p: np.asarray(Image.fromarray(rgb).resize((p["size"], p["size"]))),
    "sd_inpaint": lambda rgb, p: limit_sides(rgb, p["max_size"]),
}
#: The shape of each engine's array.
SHAPES = {
    "clip_text": lambda r: (64,) if "clip_vit_b32" in r.weights else (128,),
    "latent_error": lambda r: (4, r.params["size"] // 4, r.params["size"] // 4),
}


class ToyPixels:
    """A separable world without files: fakes carry a striped pattern, and their reconstructions are exact."""

    def __init__(self, container=None):
        self.container = container

    def image(self, part, thing):
        rgb = picture(int(thing.image_id[:6], 16), thing.width, thing.height, grain=3)
        if thing.label == 1:
            stripes = 40.0 * np.sin(np.indices(rgb.shape[:2]).sum(0) * (2 * np.pi / 8))
            rgb = np.clip(rgb + stripes[..., None], 0, 255).astype(np.uint8)
        return rgb

    def artefact(self, recipe, thing):
        if recipe.engine in SHAPES:
            drawn = np.random.default_rng(int(thing.image_id[:6], 16)).standard_normal(SHAPES[recipe.engine](recipe))
            return (drawn + thing.label).astype(np.float32)
        source = recipe.inputs["image"]
        rgb = self.artefact(source, thing) if isinstance(source, Recipe) else self.image(None, thing)
        rgb = GEOMETRY[recipe.engine](rgb, recipe.params)
        if thing.label == 1:
            return rgb
        noise = np.random.default_rng(int(thing.image_id[:6], 16)).normal(0, 25, rgb.shape)
        return np.clip(rgb + noise, 0, 255).astype(np.uint8)

    def facts(self, part, thing):
        container = self.container or ("png" if thing.label else "jpeg")
        density = 3 if thing.label else 1
        quality = 0 if thing.label else 96
        return Facts(container, quality, thing.width, thing.height, density * thing.width * thing.height)


def instance(name):
    """The method of the mini suite with a short training in small batches, so that batch norms settle."""
    method = suites.instantiate(SUITE, name, "", discover.method(name))
    short = {"epochs": 12, "batch_size": 8}
    known = {field.name for field in fields(method.params)}
    return type(method)(replace(method.params, **{k: v for k, v in short.items() if k in known}))


def refs(method, start, count, stage, width=64):
    part = Slice("toy", "toy", "train", tuple(item(start + i, i % 2, width + 16 * (i % 2 == 0)) for i in range(count)))
    hashes = {role: "0" * 32 for s in STAGES for n in method.needs(s).values() for role in n.roles()}
    return references(method, [part], hashes, stage)


def weights(method):
    """The embedded weights of the roles that a method builds with."""
    return {role: ZOO.folder(role) for role in method.roles()}


def bench(pixels=None):
    return Runtime(pixels or ToyPixels(), "cpu", Meter(), Progress())


def toy_auc(method, model, start):
    """AUC on 50 new images of the toy set."""
    test = refs(method, start, 50, "test")
    logits = np.asarray(network.predict(method, model, test, bench()), np.float32)
    assert np.isfinite(logits).all()
    assert len(logits) == 50
    _, real, fake = classification.tally(logits, np.asarray([r.label for r in test]))
    return classification.auc(real, fake)


@cache
def trained(name, folder):
    """A method trained until it tells the toy set apart, or for all its epochs: most need a third of them."""
    method, given = instance(name), weights(instance(name))
    for epochs in range(4, method.schedule().epochs + 4, 4):
        training = network.Training(method, given, 3, folder, bench())
        training.plan = replace(training.plan, epochs=epochs)
        training.resume()
        training.run(refs(method, 0, 64, "train"), refs(method, 500, 16, "test"))
        if toy_auc(method, training.model, 700) >= 0.98:
            break
    return method, training.model


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fits")


@pytest.mark.parametrize("name", discover.methods())
def test_the_card_says_what_a_reader_must_know(name):
    method = discover.method(name)
    assert method.card.version >= 1
    told = ("title", "paper", "code", "licence", "pretraining", "label_convention")
    assert all(getattr(method.card, name) for name in told)
    assert bool(method.card.geometry) == issubclass(method, Detector), "whose resize and crop?"
    assert method.card.year > 2000 or (method.card.year == 0 and isinstance(instance(name), Statistic))
    assert set(method.card.weights) <= set(MODELS)
    assert set(instance(name).roles()) <= set(method.card.weights)
    assert all(role in MODELS for s in STAGES for n in instance(name).needs(s).values() for role in n.roles())


@pytest.mark.parametrize("name", discover.methods())
def test_needs_name_engines_that_exist(name):
    for stage in STAGES:
        for need in instance(name).needs(stage).values():
            assert need.engine in discover.engines()
            assert need.version == discover.engine(need.engine).version


@pytest.mark.parametrize("name", NETWORKS)
def test_it_learns_a_separable_toy_set_and_scores_every_image(name, folder):
    method, model = trained(name, folder / name)
    assert toy_auc(method, model, 900) >= 0.9


@pytest.mark.parametrize("name", NETWORKS)
def test_a_score_is_independent_of_order_and_company(name, folder):
    method, model = trained(name, folder / name)
    test = refs(method, 900, 40, "test")
    whole = np.asarray(network.predict(method, model, test, bench()))
    back = np.asarray(network.predict(method, model, test[::-1], bench()))[::-1]
    alone = np.asarray([network.predict(method, model, (ref,), bench())[0] for ref in test[:3]])
    assert np.abs(whole - back).max() <= 1e-4
    assert np.abs(whole[:3] - alone).max() <= 1e-4
    light = replace(bench(), exact=False)  # As `score` does it: no filler, the next batch loaded ahead.
    assert np.abs(whole - network.predict(method, model, test, light)).max() <= 1e-4
    assert light.meter.forwards == 40


@pytest.mark.parametrize("name", NETWORKS)
def test_a_score_knows_neither_container_nor_name(name, folder):
    method, model = trained(name, folder / name)
    test = refs(method, 900, 8, "test")
    other = {"path": test[0].item.path.with_name("x.bmp"), "row_id": "9" * 32}
    renamed = tuple(replace(r, item=replace(r.item, **other)) for r in test)
    plain = network.predict(method, model, test, bench())
    assert network.predict(method, model, renamed, bench(ToyPixels("bmp"))) == plain


@pytest.mark.parametrize("name", NETWORKS)
def test_two_fits_with_one_seed_are_equal_and_another_seed_differs(name, folder, tmp_path):
    models = []
    for number, seed in enumerate((3, 3, 4)):
        method = instance(name)
        method = type(method)(replace(method.params, epochs=1))
        training = network.Training(method, weights(method), seed, tmp_path / str(number), bench())
        training.run(refs(method, 0, 24, "train"), refs(method, 500, 8, "test"))
        models.append(training.model.state_dict())
    assert all(torch.equal(models[0][k], models[1][k]) for k in models[0])
    assert any(not torch.equal(models[0][k], models[2][k]) for k in models[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_an_interrupted_fit_ends_like_an_undisturbed_one(name, tmp_path):
    finished = []
    for number, stops in enumerate(((), (1, 2))):
        method = type(instance(name))(replace(instance(name).params, epochs=3))
        for epochs in (*stops, 3):
            training = network.Training(method, weights(method), 3, tmp_path / str(number), bench())
            training.plan = replace(training.plan, epochs=epochs)
            training.resume()
            training.run(refs(method, 0, 24, "train"), refs(method, 500, 8, "test"))
        finished.append(training.model.state_dict())
    assert all(torch.equal(finished[0][k], finished[1][k]) for k in finished[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_saved_is_what_is_loaded(name, folder, tmp_path):
    method, model = trained(name, folder / name)
    network.save_model(model, tmp_path, {"epochs": 5})
    loaded = network.load_model(method, weights(method), tmp_path, "cpu")
    test = refs(method, 900, 6, "test")
    assert network.predict(method, loaded, test, bench()) == network.predict(method, model, test, bench())
    state = loaded.state_dict()
    state.pop(sorted(state)[0])
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match="Missing key"):
        network.load_model(method, weights(method), tmp_path, "cpu")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_view_asks_for_declared_artefacts_and_a_test_view_draws_nothing(name):
    method, pixels = instance(name), ToyPixels()
    for stage in STAGES:
        ref = refs(method, 0, 2, stage)[0]
        sample = ref.sample(pixels)
        strict = Sample(sample.rgb, Strict(sample.artefacts), sample.facts)
        views = [method.view(strict, stage, np.random.default_rng(seed)) for seed in (0, 1)]
        assert all(torch.isfinite(t).all() for view in views for t in view.values())
        if stage == "test":
            assert all(torch.equal(views[0][k], views[1][k]) for k in views[0])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(40, 32), (64, 64), (160, 128), (75, 50)])
def test_every_image_size_gives_one_shape_of_input(name, size):
    method = instance(name)
    odd = item(7, 0, *size)
    ref = refs(method, 0, 2, "test")[0]
    odd_ref = Reference(ref.part, odd, odd, ref.example, ref.needs)
    free = ("full",) if method.ragged else ()
    for stage in STAGES:
        views = [method.view(r.sample(ToyPixels()), stage, np.random.default_rng(0)) for r in (ref, odd_ref)]
        shapes = {n: {tuple(view[n].shape) for view in views} for n in views[0] if n not in free}
        assert {n: len(found) for n, found in shapes.items()} == dict.fromkeys(shapes, 1)
        batch = (padded if method.ragged else torch.utils.data.default_collate)(views)
        assert {len(tensor) for tensor in batch.values()} == {len(views)}


@pytest.mark.parametrize("name", [n for n in NETWORKS if instance(n).needs("test")])
def test_a_method_with_artefacts_uses_them(name, folder):
    method, model = trained(name, folder / name)
    test = refs(method, 900, 50, "test")
    right = np.asarray(network.predict(method, model, test, bench()))
    mixed = np.asarray(network.predict(method, model, permuted(test, 0), bench()))
    assert np.abs(right - mixed).max() > 0.05


@pytest.mark.parametrize("name", STATISTICS)
def test_a_statistic_fits_and_scores(name):
    method, pixels = instance(name), ToyPixels()
    found = statistic.values(method, refs(method, 0, 60, "train"), pixels, Progress())
    assert len({type(v) for v in found}) == 1
    test = refs(method, 900, 50, "test")
    state = statistic.fit(found, [i % 2 for i in range(60)])
    logits = statistic.logits(state, statistic.values(method, test, pixels, Progress()))
    _, real, fake = classification.tally(np.asarray(logits, np.float32), np.asarray([r.label for r in test]))
    assert classification.auc(real, fake) >= 0.9


@pytest.mark.parametrize(
    ("name", "variant"), [(n, v) for n in NETWORKS for v in suites.variants(SUITE, n, discover.method(n))]
)
def test_every_variant_learns_from_a_batch_and_scores(name, variant, tmp_path):
    method = suites.instantiate(SUITE, name, variant, discover.method(name))
    method = type(method)(replace(method.params, epochs=1, batch_size=8))
    try:
        found = weights(method)
    except UserError as error:
        pytest.skip(f"the miniature cannot run {name}[{variant}] yet: {error.problem}")
    training = network.Training(method, found, 3, tmp_path, bench())
    before = {key: tensor.clone() for key, tensor in training.model.state_dict().items()}
    training.run(refs(method, 0, 8, "train"), refs(method, 500, 8, "test"))
    assert any(not torch.equal(tensor, before[key]) for key, tensor in training.model.state_dict().items())
    assert np.isfinite(network.predict(method, training.model, refs(method, 900, 5, "test"), bench())).all()
    for need in method.needs("test").values():
        assert need.version == discover.engine(need.engine).version
