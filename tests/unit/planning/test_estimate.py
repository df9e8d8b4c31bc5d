from types import SimpleNamespace

import pytest

from bench.artefacts.engines import blip, ddim_inversion, sd_img2img
from bench.artefacts.store import Store
from bench.device import Processes
from bench.planning import estimate as estimates
from bench.planning.estimate import Rates, estimate, machine_seconds, passes
from bench.recipe import SOURCE, Recipe
from bench.results.folder import Results
from bench.types import Cell, Fit, Job, Plan, Slice
from methods.container import METHOD as CONTAINER
from methods.gramnet import METHOD as GRAMNET
from tests.conftest import item

COSTS = """kind,name,units,seconds
artefacts,blip,100,2.0
artefacts,blip,100,4.0
fit,gramnet,1000,50.0
machine,fft,1,0.2
machine,fft,1,0.2
score,gramnet,10,1.0
"""


@pytest.fixture
def costs(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text(COSTS)
    return path


def test_rates_are_means_over_all_runs_scaled_by_the_machine(costs):
    rates = Rates(costs)
    assert rates.seconds("fit", "gramnet") == 0.05
    assert rates.artefact(blip.recipe()) == pytest.approx(0.03)
    faster = Rates(costs, now=0.1)
    assert faster.seconds("score", "gramnet") == pytest.approx(0.05)
    assert faster.seconds("score", "dire") == Rates().seconds("score", "dire") > 0  # Nothing is known of it.


def test_a_users_own_runs_take_precedence_and_old_files_are_ignored(costs, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("kind,name,units,seconds\nfit,gramnet,10,1.0\n")
    assert Rates(own, costs).seconds("fit", "gramnet") == 0.1
    assert Rates(own, costs).seconds("score", "gramnet") == 0.1
    own.write_text("kind,name,images,seconds\nfit,gramnet,10,1.0\n")
    assert Rates(own, costs).seconds("fit", "gramnet") == 0.05


def test_the_machine_is_timed_in_a_fraction_of_a_second():
    assert 0 < machine_seconds() < 1


def test_steps_and_epochs_count():
    few, many = ddim_inversion.recipe(4, 64), ddim_inversion.recipe(20, 64)
    assert estimates.forwards(many) - estimates.forwards(few) == 32
    assert estimates.forwards(Recipe("aligned", 1)) == 0
    assert passes(GRAMNET(GRAMNET.Params(epochs=7))) == 7
    assert passes(CONTAINER(CONTAINER.Params())) == 1


def test_a_plan_is_costed_by_what_is_missing(tmp_path, costs):
    items = tuple(item(i, i % 2, 500, 375) for i in range(40))
    part = Slice("genimage", "sdv14", "test", items)
    caption = blip.recipe().bind(SOURCE)
    image = sd_img2img.recipe(blip.recipe()).bind(SOURCE)
    fit = Fit("gramnet", "", 1, {}, {}, (), "sdv14", (part.key,), (), "raw", 0)
    plan = Plan({part.key: part}, (Job(caption, part), Job(image, part)), (fit,), (Cell(fit, part),))
    store = Store(tmp_path / "store")
    with store.writer(caption, "txt") as writer:
        writer.put({i.image_id: b"a" for i in items[:30]})
    methods = {("gramnet", ""): SimpleNamespace(label="gramnet", method=GRAMNET(GRAMNET.Params(epochs=7)))}
    made = estimate(plan, methods, store, Results(tmp_path / "r"), Rates(costs), Processes(1), "cpu")
    captions, images = made["artefacts"]
    assert (captions["needed"], captions["cached"], captions["missing"], captions["forwards"]) == (40, 30, 10, 10)
    assert captions["seconds"] == pytest.approx(0.3)
    assert captions["bytes"] == 10 * 1000
    assert images["bytes"] == pytest.approx(40 * (1000 + 512 * 384 * 2.2), rel=0.01)
    assert images["forwards"] == 40 * 52
    assert made["seconds"] == pytest.approx(0.3 + images["seconds"] + 40 * 7 * 0.05 + 40 * 0.1, rel=0.01)
