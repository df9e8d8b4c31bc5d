"""``reproduce`` and ``list experiments``; tests/slow/test_reproduce.py runs an experiment."""

import json

import pytest

from bench.cli.reproduce import options_for
from bench.cli.run_options import RunOptions
from bench.cli.setup import check
from bench.progress import Progress
from bench.suites import experiment
from tests.e2e.conftest import bench


def test_experiments_are_listed_with_what_they_cost():
    done = bench("list", "experiments", "--json")
    lines = {line["name"]: line for line in json.loads(done.stdout)}
    assert set(lines) == set(experiment.names())
    assert lines["sare-table6"]["fits"] == 4 * 2  # Four methods, two protocols, one seed.
    board = {
        line["name"]: line for line in json.loads(bench("list", "experiments", "--suite", "board", "--json").stdout)
    }
    assert board["sare-table6"]["fits"] == 4 * 2 * 3
    shown = bench("list", "experiments").stdout
    assert shown.count("sare-table") == 6
    assert shown.rstrip().endswith("reproduce --list")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sare-tabel6"], "sare-table6"),
        (["sare-table6,sare-tabel5"], "sare-table5"),
        ([], "reproduce --list"),
        (["sare-table6", "--methods", "dire"], "The experiment sare-table6 decides it."),
        (["sare-table6", "--train", "adm"], "reproduce does not take --train"),
        (["sare-table6", "--checkpoint", "drct=a.pth"], "reproduce does not take --checkpoint"),
        (["sare-table6", "--suite", "nothing.toml"], "nothing.toml does not exist"),
    ],
)
def test_what_cannot_be_reproduced_is_one_message(words, told):
    done = bench("reproduce", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_what_an_experiment_still_costs_is_its_plan(tmp_path):
    places = ("--store", tmp_path / "store", "--results", tmp_path / "results", "--device", "cpu")
    done = bench("reproduce", "sare-table6,lare2-figure2", "--list", "--limit-test", "5", "--json", *places)
    table, figure = json.loads(done.stdout)
    assert (table["name"], table["fits"], figure["name"], figure["fits"]) == ("sare-table6", 8, "lare2-figure2", 0)
    assert table["forwards"] > figure["forwards"] > 0
    assert table["minutes"] > 0
    assert not (tmp_path / "results").exists()
    plan = bench("plan", "--suite", "mini:lare2-figure2", "--methods", "none", "--limit-test", "5", "--json", *places)
    assert json.loads(plan.stdout)["forwards"] == figure["forwards"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One store, into which the miniature's images are unpacked once."""
    return tmp_path_factory.mktemp("store")


@pytest.mark.parametrize("name", experiment.names())
def test_every_experiment_is_a_run_that_can_begin(name, store, tmp_path):
    options = options_for(name, RunOptions(store=store, results=tmp_path / "results", device="cpu"))
    prepared = check(options, Progress())
    assert [chosen.label for chosen in prepared.request.methods] == experiment.load(name).methods
    assert [source.name for source in prepared.request.sources] == experiment.load(name).trains
