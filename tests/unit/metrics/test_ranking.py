from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.metrics import ranking


def closed(p):
    """Holm's p-values by the closed testing procedure with Bonferroni's test of every intersection."""
    found = []
    for i in range(len(p)):
        others = [j for j in range(len(p)) if j != i]
        groups = [(i, *g) for size in range(len(p)) for g in combinations(others, size)]
        found.append(max(min(1.0, len(g) * min(p[k] for k in g)) for g in groups))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_holm_is_the_closed_procedure(seed):
    p = np.random.default_rng(seed).random(7) ** 3
    assert ranking.holm(p) == pytest.approx(closed(p))


def test_holm_of_nothing_and_of_holes():
    assert len(ranking.holm([])) == 0
    assert ranking.holm([np.nan, 0.01, 0.04]) == pytest.approx([np.nan, 0.02, 0.04], nan_ok=True)


def test_a_rank_counts_those_that_are_significantly_better():
    found = ranking.ranks("abcd", {("a", "c"): True, ("a", "d"): True, ("b", "d"): True})
    assert {name: str(rank) for name, rank in found.items()} == {"a": "1–2", "b": "1–3", "c": "2–4", "d": "3–4"}
    assert str(ranking.Rank(2, 2)) == "2"


def test_friedman_is_scipys_with_nemenyis_critical_difference():
    """The difference for 4 classifiers on 14 data sets is 1.25 (Demšar, JMLR 2006, section 3.2.4)."""
    values = np.round(np.random.default_rng(0).random((14, 4)), 1)
    found = ranking.friedman(values)
    assert found.mean_ranks == pytest.approx(pd.DataFrame(values).rank(axis=1, ascending=False).mean().to_numpy())
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    wanted = stats.friedmanchisquare(*values.T)
    assert (found.statistic, found.p) == pytest.approx((wanted.statistic, wanted.pvalue))


@pytest.mark.parametrize("shape", [(1, 4), (5, 2)])
def test_friedman_needs_generators_and_detectors(shape):
    with pytest.raises(ValueError, match="needs 2 generators and 3 detectors"):
        ranking.friedman(np.zeros(shape))


def test_wilcoxon_is_scipys():
    differences = [0.1, 0.2, -0.05, 0.3, 0.15, 0.12]
    assert ranking.wilcoxon(differences) == stats.wilcoxon(differences).pvalue
    assert ranking.wilcoxon([0.0, 0.0]) == 1.0
