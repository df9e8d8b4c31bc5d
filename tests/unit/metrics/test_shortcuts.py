"""A fact that tells the classes apart is found, one that does not is not, however many values it has."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bench.metrics.shortcuts import binned, log_odds, shortcuts

RNG = np.random.default_rng(5)
LABELS = np.arange(400) % 2
HELD_OUT = (np.arange(400) // 2) % 2 == 1


def verdicts(**facts):
    return {one.fact: one for one in shortcuts({name: (v, LABELS, HELD_OUT) for name, v in facts.items()})}


def test_verdicts_of_perfect_partial_and_blind_facts():
    quality = np.where(LABELS == 1, 75, RNG.integers(75, 97, 400)).tolist()
    found = verdicts(
        container=["png" if y else "jpeg" for y in LABELS],
        quality=quality,
        noise=RNG.random(400).tolist(),
        serial=[f"name {n}" for n in range(400)],
        mode=["RGB"] * 400,
    )
    assert {name: one.verdict for name, one in found.items()} == {
        "container": "leak",
        "quality": "leak",
        "noise": "none",
        "serial": "none",
        "mode": "constant",
    }
    assert found["container"].auc == 1.0
    assert found["serial"].auc == 0.5  # No word is there twice, so the other half teaches nothing.
    assert all(one.low <= one.auc <= one.high + 1e-9 for one in found.values())


def test_a_fact_that_is_not_monotone_is_found():
    sides = np.where(LABELS == 1, 256, RNG.choice([100, 500], 400)).tolist()
    assert verdicts(side=sides)["side"].verdict == "leak"


def test_an_unbalanced_fact_is_a_hint():
    camera = (RNG.random(400) < np.where(LABELS == 1, 0.1, 0.5)).tolist()
    found = verdicts(camera=camera)["camera"]
    assert found.verdict == "hint"
    assert found.p < 0.05


def test_facts_without_effect_are_seldom_called_anything():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        facts = {f"f{n}": (rng.integers(0, 5, 400).tolist(), LABELS, HELD_OUT) for n in range(6)}
        wrong += any(one.verdict != "none" for one in shortcuts(facts))
    assert wrong <= 20


def test_few_files_say_nothing():
    for count, verdict in ((40, "leak"), (38, "too few")):
        labels = np.arange(count) % 2
        (found,) = shortcuts({"f": (["b" if y else "a" for y in labels], labels, np.arange(count) % 4 < 2)})
        assert found.verdict == verdict


def test_log_odds_are_those_of_the_counts():
    found = log_odds(["a", "a", "a", "b"], np.array([0, 0, 1, 1]))
    assert found["a"] == pytest.approx(np.log(1.5 / 2.5))
    assert found["b"] == pytest.approx(np.log(1.5 / 0.5))


def test_the_auc_is_that_of_the_half_that_taught_nothing():
    words = RNG.integers(0, 4, 400).astype(str)
    (found,) = shortcuts({"f": (words.tolist(), LABELS, HELD_OUT)})
    odds = log_odds(words[~HELD_OUT].tolist(), LABELS[~HELD_OUT])
    assert found.auc == pytest.approx(roc_auc_score(LABELS[HELD_OUT], [odds[w] for w in words[HELD_OUT]]))


@pytest.mark.parametrize(("count", "bins"), [(5, 5), (16, 16), (1000, 16)])
def test_numbers_with_many_values_are_binned(count, bins):
    assert len(set(binned(list(range(count))))) == bins
