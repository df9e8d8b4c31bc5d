from dataclasses import replace

from bench import discover
from bench.data.splits import Limits
from bench.planning.gather import Gathered
from bench.planning.matrix import build, pairs, relation
from bench.planning.request import Chosen, Request
from bench.planning.sources import Source
from bench.suites import suite as suites
from bench.types import Slice
from tests.conftest import item

SUITE = suites.load("mini")


def part(subset, role, start):
    return Slice("genimage", subset, role, tuple(item(start + i, i % 2) for i in range(20)))


def request(names=("dire", "container"), **changes):
    methods = tuple(Chosen(n, "", suites.instantiate(SUITE, n, "", discover.method(n))) for n in names)
    fields = {
        "suite": SUITE,
        "methods": methods,
        "sources": (Source("sdv14", ("sdv14",)),),
        "tests": (("genimage", "sdv14"), ("genimage", "biggan")),
        "protocols": ("raw", "aligned"),
        "controls": ("permuted",),
        "seeds": (0,),
        "limits": Limits(None, None),
        "roots": {},
        "folders": {"genimage": {}},
    }
    return Request(**fields | changes)


DATA = Gathered(
    {("genimage", "sdv14"): part("sdv14", "test", 0), ("genimage", "biggan"): part("biggan", "test", 100)},
    {"sdv14": part("sdv14", "train", 200)},
    {"sdv14": part("sdv14", "val", 300)},
)


def plan(**changes):
    return build(request(**changes), DATA, lambda role: f"hash of {role}")


def test_protocols_make_three_columns():
    assert pairs(("raw", "aligned")) == [("raw", "raw"), ("raw", "aligned"), ("aligned", "aligned")]
    assert pairs(("aligned",)) == [("aligned", "aligned")]


def test_a_fit_trains_on_train_alone_and_no_test_image_reaches_it():
    made = plan()
    test_ids = {i.image_id for place in DATA.tests.values() for i in place.items}
    assert {f.protocol for f in made.fits} == {"raw", "aligned"}
    for fit in made.fits:
        for role, keys in (("train", fit.train), ("val", fit.val)):
            for key in keys:
                assert made.slices[key].role == role
                assert {i.image_id for i in made.slices[key].items} & test_ids == set()


def test_every_cell_and_its_control_is_there_once():
    made = plan()
    tested = [(c.fit.method, c.fit.protocol, c.name) for c in made.cells if c.test.role == "test"]
    assert len(tested) == len(set(tested)) == (3 * 2) * (2 + 1)
    controls = {c.fit.method for c in made.cells if c.perturbation == "permuted"}
    assert controls == {"dire"}


def test_artefacts_are_planned_in_an_order_in_which_they_can_be_made():
    made = plan()
    done = set()
    for job in made.jobs:
        below = {r.key for r in job.recipe.closure()} - {job.recipe.key}
        assert below <= done
        done.add(job.recipe.key)
    engines = {job.recipe.engine for job in made.jobs}
    assert engines == {"aligned", "ddim_inversion"}
    assert all(w for job in made.jobs for w in job.recipe.weights.values())


def test_a_new_test_set_or_protocol_never_retrains():
    few = plan(tests=(("genimage", "sdv14"),), protocols=("raw",))
    assert {f.key for f in few.fits} <= {f.key for f in plan().fits}


def test_seed_parameters_and_data_change_a_fit():
    base = {f.key for f in plan().fits}
    assert base.isdisjoint({f.key for f in plan(seeds=(1,)).fits})
    other = replace(SUITE, methods={}) if not hasattr(SUITE, "model_copy") else SUITE.model_copy(update={"methods": {}})
    chosen = Chosen("dire", "", suites.instantiate(other, "dire", "", discover.method("dire")))
    assert base.isdisjoint({f.key for f in plan(methods=(chosen,)).fits})


def test_a_protocol_that_cannot_be_applied_leaves_holes_with_the_reason():
    far = Slice("genimage", "biggan", "test", (item(0, 1, 8, 8), item(1, 0, 400, 400)))
    data = Gathered({**DATA.tests, ("genimage", "biggan"): far}, DATA.train, DATA.val)
    made = build(request(), data, lambda role: role)
    holes = {(h.method, h.subset, h.train_protocol, h.protocol, h.perturbation) for h in made.holes}
    assert ("dire", "biggan", "aligned", "aligned", "permuted") in holes
    assert ("container", "biggan", "raw", "aligned", "none") in holes
    assert all("no size that both classes" in h.reason for h in made.holes)
    assert not [c for c in made.cells if c.test.subset == "biggan" and c.test.protocol == "aligned"]


def test_a_method_that_is_told_the_class_has_holes_where_none_is_told():
    lare = discover.method("lare2")
    chosen = Chosen("lare2", "oracle", suites.instantiate(SUITE, "lare2", "oracle", lare))

    def named(part):
        return replace(part, items=tuple(replace(i, class_name="red disc") for i in part.items))

    tests = {**DATA.tests, ("genimage", "sdv14"): named(DATA.tests["genimage", "sdv14"])}
    told = Gathered(tests, {"sdv14": named(DATA.train["sdv14"])}, {"sdv14": named(DATA.val["sdv14"])})
    made = build(request(methods=(chosen,), protocols=("raw",)), told, lambda role: role)
    assert {c.test.subset for c in made.cells} == {"sdv14"}
    assert {h.subset for h in made.holes} == {"biggan"}
    assert all("20 of 20 images have no class name" in h.reason for h in made.holes)
    assert "class_prompt" in {job.recipe.engine for job in made.jobs}
    assert not build(request(methods=(chosen,), protocols=("raw",)), DATA, lambda role: role).cells


def test_what_is_made_of_classes_has_other_keys_for_other_classes():
    chosen = Chosen("lare2", "oracle", suites.instantiate(SUITE, "lare2", "oracle", discover.method("lare2")))

    def planned(words):
        def named(part):
            return replace(part, items=tuple(replace(i, class_name=words) for i in part.items))

        data = Gathered(
            {place: named(part) for place, part in DATA.tests.items()},
            {"sdv14": named(DATA.train["sdv14"])},
            {"sdv14": named(DATA.val["sdv14"])},
        )
        made = build(request(methods=(chosen,), protocols=("raw",)), data, lambda role: role)
        prompts = {j.recipe.key for j in made.jobs if j.recipe.engine in ("class_prompt", "latent_error")}
        return prompts, {f.key for f in made.fits}, {c.key for c in made.cells}

    for one, other in zip(planned("a disc"), planned("a star"), strict=True):
        assert one
        assert one.isdisjoint(other)


def test_relations_follow_the_families():
    source = Source("sdv14", ("sdv14",))
    found = {s.name: relation(source, "genimage", s.name) for s in discover.dataset("genimage").subsets}
    assert found["sdv14"] == "source"
    assert {name for name, how in found.items() if how == "family"} == {"sdv15", "wukong"}
    assert relation(source, "forensynths", "progan") == "out"


def test_a_family_reaches_over_datasets():
    """Trained on GenImage's BigGAN, ForenSynths' BigGAN is no stranger."""
    source = Source("biggan", ("biggan",))
    assert relation(source, "genimage", "biggan") == "source"
    assert relation(source, "forensynths", "biggan") == "family"
    assert relation(source, "forensynths", "progan") == "out"


def test_a_suite_may_know_the_family_of_its_own_images():
    """The miniature Midjourney began as SD v1.4, of which nothing is known of the real one."""
    families = suites.load("mini").families
    assert families == {"genimage:midjourney": "sd1"}
    assert relation(Source("sdv14", ("sdv14",)), "genimage", "midjourney", families) == "family"
    assert relation(Source("midjourney", ("midjourney",)), "genimage", "wukong", families) == "family"


def test_attribution_trains_on_generated_images_alone_and_is_tested_on_them():
    telling = Source("attribute:adm", ("adm", "sdv14"), "adm")
    place = ("attribution", "attribute:adm")
    told = {
        role: replace(part("adm", role, start), dataset="attribution")
        for role, start in (("test", 0), ("train", 200), ("val", 300))
    }
    data = Gathered({place: told["test"]}, {telling.name: told["train"]}, {telling.name: told["val"]})
    made = build(request(sources=(telling,), perturbations=("jpeg75",)), data, lambda role: f"hash of {role}")
    assert {fit.task for fit in made.fits} == {"attribute:adm"}
    tests = [cell for cell in made.cells if cell.test.role == "test"]
    assert {(cell.test.dataset, cell.test.subset, cell.relation) for cell in tests} == {
        ("attribution", "adm", "source")
    }
    assert {cell.perturbation for cell in tests} == {"none", "permuted", "jpeg75"}
    assert made.probes == ()


def test_a_perturbed_slice_is_made_on_top_of_its_protocol():
    made = plan(perturbations=("jpeg75",), controls=())
    jpeg = [cell for cell in made.cells if cell.perturbation == "jpeg75"]
    plain = [cell for cell in made.cells if cell.perturbation == "none" and cell.test.role == "test"]
    assert len(jpeg) == len(plain)
    assert {cell.test.image.engine for cell in jpeg} == {"jpeg"}
    below = {cell.test.protocol: cell.test.image.inputs["image"] for cell in jpeg}
    assert below["raw"] == "source"
    assert below["aligned"].engine == "aligned"
    order = [job.recipe.engine for job in made.jobs if job.slice.protocol == "aligned"]
    assert order.index("aligned") < order.index("jpeg")
