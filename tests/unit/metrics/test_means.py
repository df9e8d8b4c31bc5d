import numpy as np
import pytest
from scipy import stats

from bench.metrics import means


def test_a_mean_has_students_interval():
    values = np.random.default_rng(0).normal(2.0, 1.0, 50)
    found = means.mean(values)
    half = stats.t.ppf(0.975, 49) * values.std(ddof=1) / np.sqrt(50)
    assert (found.value, found.low, found.high) == pytest.approx(
        (values.mean(), values.mean() - half, values.mean() + half)
    )
    assert np.isnan(means.mean(values[:19]).low)


def test_a_ratio_is_that_of_geometric_means_with_an_interval_of_its_logarithm():
    one, other = np.array([8.0, 9.0, 8.5, 8.2]), np.array([1.0, 1.1, 0.9])
    found = means.ratio(one, other)
    assert found.value == pytest.approx(stats.gmean(one) / stats.gmean(other))
    logs = [np.log(one), np.log(other)]
    var = [part.var(ddof=1) / len(part) for part in logs]
    df = sum(var) ** 2 / (var[0] ** 2 / 3 + var[1] ** 2 / 2)
    half = stats.t.ppf(0.975, df) * np.sqrt(sum(var))
    assert (found.low, found.high) == pytest.approx((found.value * np.exp(-half), found.value * np.exp(half)))


def test_a_ratio_of_scaled_times_is_the_scale_and_of_single_ones_has_no_interval():
    times = np.array([1.0, 1.2, 1.1])
    assert means.ratio(7 * times, times).value == pytest.approx(7)
    single = means.ratio(np.array([6.0]), np.array([2.0]))
    assert single.value == pytest.approx(3)
    assert np.isnan([single.low, single.high]).all()
