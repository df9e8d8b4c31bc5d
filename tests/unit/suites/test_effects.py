"""The papers' claims: every quantity is something that its source measures."""

import pytest

from bench.errors import UserError
from bench.planning.request import choose_methods
from bench.suites import effects, experiment, suite
from bench.suites.effects import Measure
from bench.suites.probed import Probed

CLAIMS = effects.load()
PAIRS = effects.pairs(CLAIMS)
SUITES = {"board/mini": "board"}


@pytest.mark.parametrize(("name", "measure"), PAIRS, ids=[f"{name}, {m.source} {m.title}" for name, m in PAIRS])
def test_a_source_measures_what_a_claim_needs(name, measure):
    if measure.source.startswith(effects.BOARD):
        known = suite.load(SUITES.get(measure.source, measure.source.removeprefix(effects.BOARD)))
        labels = {chosen.label for chosen in choose_methods("all", known)}
        assert set(measure.compare) <= labels
        return
    source = experiment.load(measure.source)
    assert source.paper == CLAIMS[name].paper
    if isinstance(source, Probed):
        named = measure.fakes or measure.ratio or measure.shift
        assert set(named) <= source.values.keys()
        assert (source.kind == "cost") == bool(measure.ratio)
    else:
        assert set(measure.compare) <= set(source.methods)
        assert set(measure.places) <= {(part.train, part.of) for part in source.cells.values()}


def test_a_verdict_is_where_the_interval_lies():
    above = Measure(source="sare-figure4", shift=("with captions",))
    below = above.model_copy(update={"side": "below"})
    assert [above.verdict(*ends) for ends in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1))] == ["shown", "opposite", "open"]
    assert [below.verdict(*ends) for ends in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1))] == ["opposite", "shown", "open"]
    either = above.model_copy(update={"side": "either"})
    assert [either.verdict(*ends) for ends in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1))] == ["shown", "shown", "open"]
    eight = Measure(source="lare2-figure1c", ratio=("DIRE (SD)", "LaRE²"), than=8)
    assert [eight.verdict(*ends) for ends in ((9, 10), (5, 7), (7, 9))] == ["shown", "opposite", "open"]


def test_a_measure_is_one_thing():
    with pytest.raises(ValueError, match="exactly one"):
        Measure(source="sare-figure4")
    with pytest.raises(ValueError, match="exactly one"):
        Measure(source="sare-figure4", shift=("a",), fakes=("a", "b"))
    with pytest.raises(ValueError, match="one value or two"):
        Measure(source="sare-figure4", shift=("a", "b", "c"))


def test_a_wrong_file_is_one_message(tmp_path):
    path = tmp_path / "effects.toml"
    path.write_text("[claim]\npaper = 'sare'\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"effects\.toml are not valid"):
        effects.load(path)


def test_claims_are_sentences_of_each_paper():
    assert {claim.paper for claim in CLAIMS.values()} == {"sare", "lare2", "semgir"}
    assert all(claim.claim.endswith((".", ".)")) for claim in CLAIMS.values())
    assert len({claim.title for claim in CLAIMS.values()}) == len(CLAIMS)
    assert len({measure.key for _, measure in PAIRS}) == len(PAIRS)
