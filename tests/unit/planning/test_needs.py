"""The artefacts of controls, and of seeds that draw noise or images."""

from dataclasses import replace

from bench import discover
from bench.artefacts.store import Store
from bench.controls import OTHER_NOISE
from bench.numerics import REFERENCE
from bench.planning.estimate import Rates
from bench.planning.gather import Gathered
from bench.planning.matrix import build
from bench.planning.request import Chosen
from bench.planning.shards import Shard, part_of_images
from bench.planning.sources import Source
from bench.planning.units import cut_fits
from bench.results.folder import Results
from bench.suites import suite as suites
from bench.training.budgets import VERSION
from tests.unit.planning.test_matrix import DATA, SUITE, part, plan, request


def chosen(label):
    name, variant = suites.split_variant(label)
    return Chosen(name, variant, suites.instantiate(SUITE, name, variant, discover.method(name)))


def test_artefacts_with_other_noise_are_made_for_methods_that_draw_any(tmp_path):
    controls = ("permuted", "zeroed", "other_noise")
    words = {"protocols": ("raw",), "controls": controls}
    made = plan(methods=(chosen("lare2"), chosen("dire")), **words)
    names = {(c.fit.method, c.perturbation) for c in made.cells if c.perturbation != "none"}
    assert names == {("lare2", name) for name in controls} | {("dire", "permuted"), ("dire", "zeroed")}
    seeds = {(job.recipe.engine, job.recipe.seed, job.slice.role) for job in made.jobs}
    assert {place for place in seeds if place[1]} == {("latent_error", OTHER_NOISE, "test")}
    methods = {(name, ""): chosen(name) for name in ("lare2", "dire")}

    def resolve(need):
        return need.resolve({role: f"hash of {role}" for role in need.roles()}, REFERENCE.describe())

    trials = cut_fits(made, methods, Store(tmp_path), Results(tmp_path), Rates(), resolve)
    (trial,) = [t for t in trials if t.fit.method == "lare2"]
    assert {job.recipe.key for job in made.jobs if job.recipe.engine == "latent_error"} == trial.after


def test_twins_are_made_of_photographs_alone_if_nothing_else_is_trained_on():
    def made(*labels):
        whole = plan(methods=tuple(map(chosen, labels)), protocols=("raw",))
        return {
            job.recipe.engine: {item.label for item in job.usable} for job in whole.jobs if job.slice.role == "train"
        }

    assert made("dda") == {"autoencoder": {0}}
    assert made("drct")["sd_inpaint"] == {0, 1}
    assert made("dda", "drct")["autoencoder"] == {0}
    both = plan(methods=(chosen("dda"), chosen("aligned_forensics")), protocols=("raw",))
    shares = part_of_images(both, Shard(1, 1)).jobs
    assert {job.labels for job in shares if job.slice.role == "train"} == {frozenset({0})}


def test_captions_keep_their_key_when_the_noise_changes():
    sare = plan(methods=(chosen("drct_sare"),), protocols=("raw",), controls=("other_noise",))
    engines = [job.recipe.engine for job in sare.jobs if job.slice.role == "test" and job.slice.subset == "biggan"]
    assert sorted(engines) == ["blip", "sd_img2img", "sd_img2img"]


def test_seeds_draw_noise_and_subsets_where_the_suite_asks():
    def keys(draws, seed):
        data = replace(DATA, draws={1: ({"sdv14": part("sdv14", "train", 220)}, DATA.val)} if "subset" in draws else {})
        asked = request(
            suite=SUITE.model_copy(update={"seeds_draw": draws}),
            methods=(chosen("lare2"), chosen("container")),
            protocols=("raw",),
            seeds=(seed,),
        )
        made = build(asked, data, lambda role: role)
        noise = {job.recipe.seed for job in made.jobs if job.recipe.engine == "latent_error"}
        return {fit.method: fit.train for fit in made.fits}, noise

    assert keys((), 1) == keys((), 0)
    assert keys(("noise",), 1) == (keys((), 0)[0], {1})
    assert keys(("subset",), 1)[0] != keys(("subset",), 0)[0]
    assert keys(("subset",), 0) == keys((), 0)


def test_a_shuffled_caption_belongs_to_another_image_and_its_key_to_the_slice():
    made = plan(methods=(chosen("drct_sare[shuffled_caption]"),), protocols=("raw",), controls=())
    jobs = [job for job in made.jobs if job.recipe.engine == "shuffled_caption"]
    assert len({job.recipe.key for job in jobs}) == len(jobs) == 5
    for job in jobs:
        donors = {item.image_id: job.donor(item).image_id for item in job.slice.usable}
        assert all(image != donor for image, donor in donors.items())
        assert sorted(donors) == sorted(donors.values())
    captions = next(job for job in made.jobs if job.recipe.engine == "blip")
    assert all(captions.donor(item) is item for item in captions.slice.usable)


def test_shared_photographs_are_those_of_the_first_generator():
    data = Gathered(
        DATA.tests,
        {"sdv14": part("sdv14", "train", 200), "biggan": part("biggan", "train", 400)},
        {"sdv14": part("sdv14", "val", 300), "biggan": part("biggan", "val", 500)},
    )
    made = {}
    for shared in (False, True):
        source = Source(f"{'shared:' if shared else ''}sdv14+biggan", ("sdv14", "biggan"), shared=shared)
        asked = request(methods=(chosen("gramnet"),), sources=(source,), protocols=("aligned",), controls=())
        plan_ = build(asked, data, lambda role: role)
        (fit,) = plan_.fits
        made[shared] = [
            (plan_.slices[key].subset, plan_.slices[key].count(0), plan_.slices[key].count(1)) for key in fit.train
        ]
        assert {cell.relation for cell in plan_.cells} == {"source"}
    assert made[False] == [("sdv14", 10, 10), ("biggan", 10, 10)]
    assert made[True] == [("sdv14", 10, 10), ("biggan", 0, 10)]


def test_a_shard_leaves_to_run_what_depends_on_images_of_other_shards():
    made = plan(methods=(chosen("drct_sare[shuffled_caption]"),), protocols=("raw",), controls=())
    engines = {job.recipe.engine for index in (1, 2) for job in part_of_images(made, Shard(index, 2)).jobs}
    assert engines == {"blip", "sd_inpaint"}
    assert {"shuffled_caption", "sd_img2img"} < {job.recipe.engine for job in made.jobs}


def test_other_noise_follows_the_seed():
    made = plan(methods=(chosen("lare2"),), protocols=("raw",), controls=("other_noise",), seeds=(0, 2))
    assert {job.recipe.seed for job in made.jobs} == {0, OTHER_NOISE, OTHER_NOISE + 2}
    assert {cell.fit.noise for cell in made.cells} == {0}


def test_a_joint_source_validates_without_what_it_trains_on():
    first, second = part("sdv14", "val", 300), part("biggan", "val", 500)
    guarded = replace(second, items=second.items[:14])
    val = {"sdv14": first, "biggan": second, "sdv14+biggan biggan": guarded}
    data = Gathered(DATA.tests, {"sdv14": part("sdv14", "train", 200), "biggan": part("biggan", "train", 400)}, val)
    sources = (Source("sdv14+biggan", ("sdv14", "biggan")), Source("biggan", ("biggan",)))
    made = build(
        request(methods=(chosen("gramnet"),), sources=sources, protocols=("raw",), controls=()), data, lambda role: role
    )
    assert {fit.source: fit.val for fit in made.fits} == {
        "sdv14+biggan": (first.key, guarded.key),
        "biggan": (second.key,),
    }


def test_the_rule_of_the_plateau_is_part_of_the_key():
    suite = SUITE.model_copy(update={"budget": "plateau"})
    method = Chosen("gramnet", "", suites.instantiate(suite, "gramnet", "", discover.method("gramnet")))
    (fit,) = plan(methods=(method,), protocols=("raw",), controls=()).fits
    (usual,) = plan(methods=(chosen("gramnet"),), protocols=("raw",), controls=()).fits
    assert (fit.budget, usual.budget) == (f"plateau {VERSION}", "recipe")
    assert fit.key != usual.key
