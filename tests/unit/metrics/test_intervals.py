import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from bench.metrics import intervals
from bench.metrics.classification import auc, tally


@pytest.mark.parametrize(("k", "n"), [(0, 20), (1, 20), (10, 20), (19, 20), (50, 50), (33, 100)])
def test_wilson_is_scipys(k, n):
    wanted = stats.binomtest(k, n).proportion_ci(0.95, "wilson")
    assert intervals.wilson(k / n, n) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_a_weighted_mean_of_rates_is_newcombes_interval_of_a_difference():
    """p1 − p2 = p1 + (1 − p2) − 1: Newcombe's example of method 10, 56/70 − 48/80."""
    found = intervals.rates([(1.0, 56 / 70, 70), (1.0, 1 - 48 / 80, 80)])
    assert (found.low - 1, found.high - 1) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def scores(kind, area, n, rng):
    """Labels and logits of two classes whose true AUC is ``area``."""
    real = rng.standard_normal(n)
    if kind == "normal":
        fake = rng.standard_normal(n) + math.sqrt(2) * stats.norm.ppf(area)
    elif kind == "wide":
        fake = 2 * rng.standard_normal(n) + math.sqrt(5) * stats.norm.ppf(area)
    else:  # Fakes are found for certain, but for some at chance.
        fake = np.where(rng.random(n) < 2 * (1 - area), rng.standard_normal(n), 50 + rng.standard_normal(n))
    return np.r_[real, fake].astype(np.float32), np.repeat([0, 1], n)


def jackknife(logits, labels):
    """Variance of the AUC as the sum over classes of the variance of leave-one-out AUCs."""
    total = 0.0
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        areas = [roc_auc_score(np.delete(labels, row), np.delete(logits, row)) for row in rows]
        total += (len(rows) - 1) ** 2 / len(rows) * np.var(areas, ddof=1)
    return total


@pytest.mark.parametrize("rounded", [False, True])
def test_delongs_variance_is_the_jackknifes(rounded):
    logits, labels = scores("wide", 0.8, 40, np.random.default_rng(1))
    logits = np.round(logits) if rounded else logits
    counts = tally(logits, labels)
    assert intervals.delong_variance(counts) == pytest.approx(jackknife(logits, labels), rel=1e-9)


@pytest.mark.parametrize("kind", ["normal", "wide", "chance"])
@pytest.mark.parametrize("n", [20, 50, 100])
def test_an_interval_of_an_auc_covers_it_as_often_as_it_says(kind, n):
    """300 data sets for each AUC: 95 % but for 3 standard errors is 91 %."""
    for area in (0.5, 0.75, 0.9, 0.97, 0.99, 0.997):
        hits = 0
        for seed in range(300):
            found = intervals.of_auc(tally(*scores(kind, area, n, np.random.default_rng(seed))))
            hits += found.low <= area <= found.high
        assert hits / 300 >= 0.91, area


def test_the_interval_is_no_wider_than_delongs_where_that_is_good():
    counts = tally(*scores("normal", 0.75, 100, np.random.default_rng(0)))
    found, area = intervals.of_auc(counts), float(auc(counts))
    half = 1.96 * math.sqrt(intervals.delong_variance(counts))
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.03)
    assert found.low < area < found.high


def test_perfect_and_reversed_detectors_have_intervals():
    logits, labels = np.arange(60, dtype=np.float32), np.repeat([0, 1], 30)
    high, low = intervals.of_auc(tally(logits, labels)), intervals.of_auc(tally(-logits, labels))
    assert (high.high, low.low) == (1.0, 0.0)
    assert 0.85 < high.low < 0.93
    assert low.high == pytest.approx(1 - high.low)


def test_intervals_around_a_value_keep_its_limits():
    share, loss, gap = (
        intervals.around(0.98, 0.02**2),
        intervals.around(0.1, 0.2**2, share=False),
        intervals.around(-0.1, 0.1**2, signed=True),
    )
    assert 0 < share.low < 0.98 < share.high < 1
    assert 0 < loss.low < 0.1 < loss.high
    assert (gap.low, gap.high) == pytest.approx((-0.1 - 0.19600, -0.1 + 0.19600), abs=1e-5)
    wide = intervals.around(-0.1, 0.1**2, df=2, signed=True)
    assert wide.high + 0.1 == pytest.approx(0.1 * stats.t.ppf(0.975, 2))
