"""Experiments of probes name probes, generators and panels that exist, and have a place for every published number."""

import pytest

from bench import discover
from bench.errors import UserError
from bench.planning.request import choose_probes, limited_to
from bench.suites import experiment, published, suite
from bench.suites.probed import Probed

FOUND = {name: experiment.load(name) for name in experiment.names()}
NAMES = [name for name, found in FOUND.items() if isinstance(found, Probed)]


@pytest.mark.parametrize("base", ["mini", "board", "paper"])
@pytest.mark.parametrize("name", NAMES)
def test_it_measures_the_probes_that_its_page_shows(name, base):
    changed = suite.load(f"{base}:{name}")
    assert changed.name == f"{base}-{name}"
    recipes = choose_probes(changed)
    assert set(FOUND[name].measured) <= recipes.keys()
    engines = {recipe.engine for probe in recipes.values() for recipe in probe.closure()}
    assert engines <= set(discover.engines())
    assert changed.protocols == FOUND[name].protocols


@pytest.mark.parametrize("name", NAMES)
def test_every_published_number_has_a_place(name):
    found = FOUND[name]
    places = {(row, column) for row in found.values for column in found.columns}
    assert published.values(found.paper, found.table).keys() <= places
    known = set(published.read()[["paper", "table"]].itertuples(index=False, name=None))
    assert not found.table or (found.paper, found.table) in known
    for of in (*found.test, *(column.of for column in found.columns.values() if column.of)):
        dataset, _, subset = of.partition(":")
        assert subset in {s.name for s in discover.dataset(dataset).subsets}


@pytest.mark.parametrize("name", NAMES)
def test_sizes_of_the_miniature_are_set(name):
    """An engine's own size is the paper's, with which the miniature would run for hours."""
    for recipe in choose_probes(suite.load(f"mini:{name}")).values():
        for part in recipe.closure():
            assert max((part.params.get(size, 0) for size in ("size", "long_side")), default=0) <= 64


def test_a_suite_without_an_experiment_keeps_its_probes():
    assert suite.load("mini").probes == {"lpips_shift": {"steps": 12, "long_side": 64}}
    assert suite.load("mini:sare-table6").probes == {}
    assert suite.load("paper:sare-figure4").probes == {"lpips_shift": {}}
    assert (suite.load("mini").pairs, suite.load("mini:sare-figure5").pairs) == (0, 1)


def test_what_an_experiment_lacks_is_named():
    with pytest.raises(ValueError, match="gallery needs panels and pairs"):
        Probed(kind="gallery", name="toy", title="A toy", paper="sare", probes={})
    with pytest.raises(ValueError, match="gap needs values"):
        Probed(kind="gap", name="toy", title="A toy", paper="sare", probes={})


def test_a_suite_limits_itself_to_what_the_data_have():
    tests = [("genimage", "adm"), ("genimage", "sdv14")]
    assert limited_to((), tests) == tuple(tests)
    assert limited_to(["genimage:adm", "forensynths:stylegan2"], tests) == (("genimage", "adm"),)
    with pytest.raises(UserError, match="None of genimage:vqdm is in the data"):
        limited_to(["genimage:vqdm"], tests)
