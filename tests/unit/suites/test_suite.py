import pytest

from bench import discover
from bench.errors import UserError
from bench.suites import suite as suites
from tests.conftest import ROOT


@pytest.mark.parametrize("name", suites.names())
def test_every_committed_suite_fits_its_methods(name):
    suite = suites.load(name)
    for key in suite.methods:
        method, variant = suites.split_variant(key)
        suites.instantiate(suite, method, variant, discover.method(method))


def test_the_suite_overrides_the_papers_defaults():
    params = suites.instantiate(suites.load("mini"), "dire", "", discover.method("dire")).params
    assert params.image_size == 64
    assert discover.method("dire").Params().image_size == 256


def write(tmp_path, text):
    path = tmp_path / "own.toml"
    head = 'name = "own"\nlabel = "x"\nmodels = "mini"\ndata = "mini"\ndatasets = ["genimage"]\nprotocols = ["raw"]\n'
    path.write_text(head + text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[methods.dire]\nstepz = 3\n", "no parameter of dire 'stepz'"),
        ('[methods.dire]\nsteps = "many"\n', "steps of dire has the value 'many'"),
        ("[methods.dire]\nepochs = 0\n", "epochs of dire has the value 0"),
        ("[methods.dire]\nlr = inf\n", "lr of dire has the value inf"),
        ("[methods.dire]\nweight_decay = -0.1\n", "weight_decay of dire has the value -0.1"),
    ],
)
def test_wrong_parameters_are_refused_by_name(tmp_path, text, words):
    suite = suites.load(write(tmp_path, text))
    with pytest.raises(UserError, match=words):
        suites.instantiate(suite, "dire", "", discover.method("dire"))


def test_a_share_is_between_none_and_all(tmp_path):
    suite = suites.load(write(tmp_path, "[methods.drct]\nalpha = 1.5\n[methods.cnnspot]\nblur_prob = 0\n"))
    with pytest.raises(UserError, match=r"alpha of drct has the value 1\.5"):
        suites.instantiate(suite, "drct", "", discover.method("drct"))
    assert suites.instantiate(suite, "cnnspot", "", discover.method("cnnspot")).params.blur_prob == 0


def test_a_suite_extends_another_key_by_key(tmp_path):
    path = tmp_path / "big.toml"
    path.write_text('extends = "mini"\nlimit_test = 7\nseeds = [3, 4]\n[methods.dire]\nsteps = 3\n')
    base, suite = suites.load("mini"), suites.load(str(path))
    assert (suite.limit_test, suite.seeds, suite.limit_train) == (7, (3, 4), base.limit_train)
    assert suite.methods["dire"] == {**base.methods["dire"], "steps": 3}
    assert suite.methods["gramnet"] == base.methods["gramnet"]
    path.write_text('extends = "minny"\n')
    with pytest.raises(UserError, match="no suite 'minny'") as caught:
        suites.load(str(path))
    assert "mini" in caught.value.fix


def test_an_unknown_variant_is_refused():
    with pytest.raises(UserError, match=r"no variant of dire 'amd'"):
        suites.instantiate(suites.load("mini"), "dire", "amd", discover.method("dire"))


def test_an_unknown_suite_lists_the_known():
    with pytest.raises(UserError, match="no suite") as caught:
        suites.load("nope")
    assert "mini" in caught.value.context


def test_a_suite_file_that_is_not_there_is_told_by_its_path():
    with pytest.raises(UserError, match=r"nope\.toml does not exist") as caught:
        suites.load("nope.toml")
    assert "mini" in caught.value.fix


def test_a_mistake_in_a_suite_file_names_that_file_and_every_field(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('name = "x"\n')
    with pytest.raises(UserError, match="is not valid") as caught:
        suites.load(str(path))
    assert all(field in caught.value.context for field in ("label", "models", "data", "datasets", "protocols"))
    path.write_text((ROOT / "bench/suites/mini.toml").read_text().replace("epochs", "epoch"))
    with pytest.raises(UserError) as caught:
        suites.instantiate(suites.load(str(path)), "dire", "", discover.method("dire"))
    assert str(path) in caught.value.fix


def test_a_wrong_suite_file_is_one_message(tmp_path):
    with pytest.raises(UserError, match="is not valid"):
        suites.load(write(tmp_path, "colour = 3\n"))


def test_half_a_bracket_is_no_method():
    with pytest.raises(UserError, match="not a method name"):
        suites.split_variant("dire[adm")


def test_perturbations_can_be_named_beside_a_suite():
    mini = suites.load("mini")
    assert mini.perturbed(None) is mini
    assert mini.perturbed("jpeg75, web,jpeg75").perturbations == ("jpeg75", "web")
    assert mini.perturbed("").perturbations == ()
    assert len(suites.load("robustness").perturbations) == 21


def test_parameters_that_do_not_go_together_are_one_message(tmp_path):
    suite = suites.load(write(tmp_path, "[methods.d3]\npatch = 13\n"))
    with pytest.raises(UserError, match="The parameters of d3 do not go together") as caught:
        suites.instantiate(suite, "d3", "", discover.method("d3"))
    assert caught.value.context == "crop_size, 224, must be a multiple of patch, 13."
