"""Every experiment names methods and subsets that exist, and has a cell for every number that its paper prints."""

import pytest

from bench import discover
from bench.errors import UserError
from bench.suites import experiment, published, suite

NAMES = [name for name in experiment.names() if isinstance(experiment.load(name), experiment.Experiment)]


@pytest.mark.parametrize("name", NAMES)
def test_every_published_number_has_a_cell(name):
    found = experiment.load(name)
    assert published.values(found.paper, found.table).keys() <= found.cells.keys()
    assert not found.table or (found.paper, found.table) in set(
        published.read()[["paper", "table"]].itertuples(index=False, name=None)
    )


@pytest.mark.parametrize("base", ["mini", "board", "paper"])
@pytest.mark.parametrize("name", NAMES)
def test_its_methods_exist_in_every_suite(name, base):
    changed = suite.load(f"{base}:{name}")
    assert changed.name == f"{base}-{name}"
    assert changed.models == suite.load(base).models
    for label in experiment.load(name).methods:
        method, variant = suite.split_variant(label)
        suite.instantiate(changed, method, variant, discover.method(method))


@pytest.mark.parametrize("name", NAMES)
def test_its_cells_say_what_they_measure(name):
    found = experiment.load(name)
    subsets = {d: {s.name for s in discover.dataset(d).subsets} | {"mean:all", "mean:out"} for d in discover.datasets()}
    subsets["attribution"] = subsets["genimage"]
    for part in found.cells.values():
        if part.missing or part.mean:
            continue
        dataset, _, of = part.of.partition(":")
        assert of in subsets[dataset]
        assert part.method
        assert part.metric in ("acc", "auc", "ap")
        assert part.train.removeprefix("attribute:") in subsets["genimage"]
        assert part.train.startswith("attribute:") == (dataset == "attribution")


def test_a_part_is_completed_by_the_others():
    own = experiment.Part(method="dire", metric="auc")
    assert own.over(experiment.Part(metric="acc", of="genimage:adm")) == experiment.Part(
        method="dire", metric="auc", of="genimage:adm"
    )


def test_an_experiment_changes_only_what_it_names():
    base, changed = suite.load("mini"), suite.load("mini:sare-table6")
    assert changed.methods["drct_sare[w2.5]"] == {"guidance_scale": 2.5}
    assert changed.methods["drct_sare"] == base.methods["drct_sare"]
    assert (changed.limit_test, changed.label) == (base.limit_test, base.label)


def test_an_unknown_experiment_names_those_that_there_are():
    with pytest.raises(UserError, match="sare-table1"):
        experiment.load("sare-tabel1")
    with pytest.raises(UserError, match="sare-table1"):
        suite.load("mini:sare-tabel1")
    with pytest.raises(UserError, match="mini"):
        suite.load("minni:sare-table1")
