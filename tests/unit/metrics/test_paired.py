import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from bench.metrics import paired, seeds


def logits(rng, labels, skill):
    return (skill * labels + rng.standard_normal(len(labels))).astype(np.float32)


@pytest.mark.parametrize("rounded", [False, True])
def test_delong_is_the_jackknife_of_the_difference(rounded):
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    one = logits(rng, labels, 1.0)
    other = (0.5 * one + logits(rng, labels, 0.3)).astype(np.float32)
    if rounded:
        one, other = np.round(one), np.round(other)
    effect, spread = paired.delong(one, other, labels)
    assert effect == pytest.approx(roc_auc_score(labels, one) - roc_auc_score(labels, other))
    variance = 0.0
    for label in (0, 1):
        kept = [np.delete(np.arange(80), row) for row in np.flatnonzero(labels == label)]
        areas = [roc_auc_score(labels[k], one[k]) - roc_auc_score(labels[k], other[k]) for k in kept]
        variance += (len(kept) - 1) ** 2 / len(kept) * np.var(areas, ddof=1)
    assert spread.variance == pytest.approx(variance, rel=1e-9)


def test_p_of_equal_detectors_is_uniform():
    rng = np.random.default_rng(3)
    labels = np.arange(100) % 2
    pairs = [(logits(rng, labels, 0.7), logits(rng, labels, 0.7)) for _ in range(200)]
    found = [seeds.p_value(*paired.delong(one, other, labels)) for one, other in pairs]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_mcnemar_is_the_binomial_of_the_images_that_one_alone_gets_right():
    rights = [True, True, False, False], [True, False, True, False]
    one, other = (np.repeat(right, [30, 12, 4, 14]) for right in rights)
    assert paired.mcnemar(one, other) == pytest.approx(stats.binomtest(12, 16).pvalue)
    assert paired.mcnemar(one, one) == 1.0


@pytest.mark.parametrize("lengths", [(7, 8, 8), (9, 8, 8), (8, 8, 9)])
def test_logits_of_other_images_are_refused(lengths):
    one, other, labels = (np.arange(count) for count in lengths)
    with pytest.raises(ValueError, match="same images"):
        paired.delong(one.astype(np.float32), other.astype(np.float32), labels % 2)


def test_a_missing_class_is_refused():
    labels = np.zeros(10, np.int64)
    labels[0] = 1
    with pytest.raises(ValueError, match="two images of each class"):
        paired.delong(np.zeros(10, np.float32), np.ones(10, np.float32), labels)
