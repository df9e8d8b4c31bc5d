"""The words of a request: methods, sources, tests, protocols and other values."""

import pytest

from bench import discover
from bench.errors import UserError
from bench.planning import request as requests
from bench.planning import sources, values
from bench.planning.request import Chosen
from bench.planning.sources import Source
from bench.suites import suite as suites
from tests.conftest import make_genimage
from tests.unit.planning.test_matrix import SUITE, plan, request


@pytest.fixture
def folders(tmp_path):
    make_genimage(tmp_path, count=2)
    make_genimage(tmp_path, "BigGAN", "imagenet_ai_0419_biggan", count=2)
    return {"genimage": dict(discover.dataset("genimage").find(tmp_path))}


def test_sources_are_single_joint_or_all(folders):
    found = folders["genimage"]
    assert [s.name for s in sources.choose_sources("sdv14,sdv14+biggan", found)] == ["sdv14", "sdv14+biggan"]
    assert [s.name for s in sources.choose_sources("all", found)] == ["sdv14", "biggan"]


def test_tests_are_all_a_dataset_or_subsets(folders):
    both = (("genimage", "sdv14"), ("genimage", "biggan"))
    assert requests.choose_tests("all", folders) == both
    assert requests.choose_tests("genimage", folders) == both
    assert requests.choose_tests("genimage:biggan,sdv14", folders) == both[::-1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: sources.choose_sources("sdv41", f["genimage"]), "no subset of genimage 'sdv41'"),
        (lambda f: sources.choose_sources("adm", f["genimage"]), "genimage:adm is not in the data"),
        (lambda f: sources.choose_sources("", f["genimage"]), "--train is empty"),
        (lambda f: requests.choose_tests("forensinths:progan", f), "no dataset in the data 'forensinths'"),
        (lambda f: values.choose_protocols("raw,alined"), "no protocol 'alined'"),
        (lambda f: values.choose_seeds("0,x"), "not a list of seeds"),
        (lambda f: values.choose_limit("--limit-train", 1), "--limit-train 1 is too small"),
        (lambda f: requests.choose_methods("dire,grammnet", SUITE), "no method 'grammnet'"),
        (lambda f: requests.choose_methods("all,-grammnet", SUITE), "no method 'grammnet'"),
        (lambda f: requests.choose_methods("dire,-gramnet", SUITE), "-gramnet leaves nothing out"),
        (lambda f: requests.choose_methods("dire,-dire", SUITE), "--methods names nothing"),
        (lambda f: values.choose_device("gpu"), "no device 'gpu'"),
    ],
)
def test_wrong_words_are_named(folders, call, words):
    with pytest.raises(UserError, match=words):
        call(folders)


@pytest.mark.parametrize(
    ("text", "left"),
    [("all,-dire", {"dire"}), ("-dire,-gramnet", {"dire", "gramnet"}), ("all,dire,gramnet", set())],
)
def test_methods_can_be_left_out(text, left):
    every = [chosen.label for chosen in requests.choose_methods("all", SUITE)]
    assert [c.label for c in requests.choose_methods(text, SUITE)] == [name for name in every if name not in left]


def test_everything_is_all_and_what_all_leaves_out():
    labels = {group: [c.label for c in requests.choose_methods(group, SUITE)] for group in ("all", "everything")}
    more = set(labels["everything"]) - set(labels["all"])
    assert set(labels["all"]) < set(labels["everything"])
    assert more == {name for name in discover.methods() if not discover.method(name).in_all}
    assert "npr" in more


def test_a_suite_trains_some_methods_under_fewer_protocols():
    suite = SUITE.model_copy(update={"protocols_of": {"dire": ("aligned",)}})
    made = plan(suite=suite)
    assert {(f.method, f.protocol) for f in made.fits} == {
        ("dire", "aligned"),
        ("container", "raw"),
        ("container", "aligned"),
    }
    assert {c.test.protocol for c in made.cells if c.fit.method == "dire"} == {"aligned"}
    left = request(suite=suite, protocols=("raw",))
    assert [left.protocols_of(chosen) for chosen in left.methods] == [(), ("raw",)]
    with pytest.raises(UserError, match="dire has no protocol"):
        requests.check_protocols(left)


@pytest.mark.parametrize(
    ("of", "words"),
    [({"grammnet": ("raw",)}, "no method 'grammnet'"), ({"dire": ("alined",)}, "no protocol 'alined'")],
)
def test_protocols_of_names_methods_and_protocols(of, words):
    with pytest.raises(UserError, match=words):
        requests.check_protocols(request(suite=SUITE.model_copy(update={"protocols_of": of})))


def test_a_suites_line_up_may_name_groups():
    suite = SUITE.model_copy(update={"all": ("everything", "drct[conv_b]")})
    labels = [chosen.label for chosen in requests.choose_methods("all", suite)]
    assert labels == [*(c.label for c in requests.choose_methods("everything", suite)), "drct[conv_b]"]


def test_what_attribution_needs_is_told(tmp_path):
    make_genimage(tmp_path, count=2)
    found = dict(discover.dataset("genimage").find(tmp_path))
    with pytest.raises(UserError, match="needs at least one generator besides sdv14"):
        sources.choose_sources("attribute:sdv14", found)
    with pytest.raises(UserError, match="no subset"):
        sources.check_train_names("attribute:sdv41")
    make_genimage(tmp_path, "BigGAN", "imagenet_ai_0419_biggan", count=2, seed=50)
    found = dict(discover.dataset("genimage").find(tmp_path))
    (source,) = sources.choose_sources("attribute:biggan", found)
    assert (source.task, source.subsets) == ("attribute:biggan", ("sdv14", "biggan"))


def test_a_method_is_not_asked_what_it_cannot_learn():
    def chosen(*names):
        return [Chosen(n, "", suites.instantiate(SUITE, n, "", discover.method(n))) for n in names]

    detect, tell = Source("sdv14", ("sdv14",)), Source("attribute:sdv15", ("sdv15", "adm"), "sdv15")
    other = Source("attribute:adm", ("sdv15", "adm"), "adm")
    requests.check_tasks(chosen("semgir_a", "dire", "univfd"), [tell])
    requests.check_tasks(chosen("dire", "drct"), [detect])
    for names, source, told in (
        (("semgir_a",), detect, "cannot separate generated images"),
        (("semgir_a",), other, "cannot be trained on attribute:adm"),
        (("drct",), tell, "reconstructions as fakes"),
    ):
        with pytest.raises(UserError) as caught:
            requests.check_tasks(chosen(*names), [source])
        assert told in str(caught.value)
