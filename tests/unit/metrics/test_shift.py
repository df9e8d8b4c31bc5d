import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from bench.metrics.shift import difference, shift


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [300, 200])
    return np.where(labels == 0, rng.normal(0.30, 0.05, 500), rng.normal(0.28, 0.04, 500)), labels


def test_delta_effect_and_auc_are_those_of_scipy_and_sklearn(world):
    values, labels = world
    found = shift(values, labels)
    real, fake = values[labels == 0], values[labels == 1]
    assert found.delta.value == pytest.approx(real.mean() - fake.mean())
    assert found.auc == pytest.approx(roc_auc_score(labels, -values))
    t = stats.ttest_ind(real, fake).statistic
    assert found.effect == pytest.approx(t * np.sqrt(1 / len(real) + 1 / len(fake)))
    assert (found.n_real, found.n_fake) == (300, 200)


def test_the_intervals_are_welchs_and_students(world):
    values, labels = world
    found = shift(values, labels)
    real, fake = values[labels == 0], values[labels == 1]
    var = [part.var(ddof=1) / len(part) for part in (real, fake)]
    df = sum(var) ** 2 / (var[0] ** 2 / 299 + var[1] ** 2 / 199)
    half = stats.t.ppf(0.975, df) * np.sqrt(sum(var))
    assert (found.delta.low, found.delta.high) == pytest.approx((found.delta.value - half, found.delta.value + half))
    half = stats.t.ppf(0.975, 299) * np.sqrt(var[0])
    assert (found.real.low, found.real.high) == pytest.approx((found.real.value - half, found.real.value + half))


def test_few_values_have_no_interval():
    found = shift(np.arange(38.0), np.repeat([0, 1], 19))
    assert np.isnan([found.delta.low, found.real.high]).all()
    assert found.delta.value == -19


def test_pairs_make_the_difference_sharp(world):
    values, labels = world
    rng = np.random.default_rng(2)
    other = values + np.where(labels == 0, 0.01, 0.0) + rng.normal(0, 1e-4, len(values))
    found = difference(other, values, labels)
    assert found.value == pytest.approx(0.01, abs=1e-4)
    assert found.high - found.low < 1e-4
    assert found.low > 0


def test_one_class_alone_is_an_error():
    with pytest.raises(ValueError, match="both classes"):
        shift(np.ones(4), np.zeros(4, np.int64))


def test_equal_distances_have_no_effect_and_an_even_auc():
    found = shift(np.ones(6), np.repeat([0, 1], 3))
    assert (found.delta.value, found.effect, found.auc) == (0.0, 0.0, 0.5)
