import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from bench.metrics import paired


def logits(rng, labels, skill, noise=None):
    return (skill * labels + (rng.standard_normal(len(labels)) if noise is None else noise)).astype(np.float32)


def test_the_effect_is_the_difference_of_scikit_learns_aucs():
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    one, other = ([logits(rng, labels, skill) for _ in range(3)] for skill in (1.0, 0.4))
    one[0] = np.round(one[0])  # ties
    found = paired.paired(one, other, labels, rng)
    wanted = np.mean([roc_auc_score(labels, x) for x in one]) - np.mean([roc_auc_score(labels, x) for x in other])
    assert found.effect == pytest.approx(wanted)
    assert found.by_seed == pytest.approx(
        [roc_auc_score(labels, a) - roc_auc_score(labels, b) for a, b in zip(one, other, strict=True)]
    )
    assert (found.n_real, found.n_fake) == (60, 60)


def test_every_draw_is_scikit_learns_auc_of_the_drawn_images():
    rng = np.random.default_rng(1)
    labels = np.arange(40) % 2
    one, other = np.round(logits(rng, labels, 1.0)), logits(rng, labels, 0.5)
    drawn = np.random.default_rng(5)
    real = paired.resample((labels == 0).astype(int), drawn)
    fake = paired.resample((labels == 1).astype(int), drawn)
    found = paired.paired([one], [other], labels, np.random.default_rng(5))
    for k in (0, 17, 999):
        rows = np.repeat(np.arange(40), real[k] + fake[k])
        wanted = roc_auc_score(labels[rows], one[rows]) - roc_auc_score(labels[rows], other[rows])
        assert found.draws[k] == pytest.approx(wanted)


def test_pairing_narrows_the_interval_of_detectors_that_err_alike():
    rng = np.random.default_rng(2)
    labels = np.arange(200) % 2
    shared = rng.standard_normal(200)
    alike = paired.verdict(
        paired.paired([logits(rng, labels, 1.0, shared)], [logits(rng, labels, 0.8, shared)], labels, rng)
    )
    apart = paired.verdict(paired.paired([logits(rng, labels, 1.0)], [logits(rng, labels, 0.8)], labels, rng))
    assert alike.high - alike.low < 0.5 * (apart.high - apart.low)


def test_p_of_equal_detectors_is_uniform_and_of_unequal_ones_small():
    rng = np.random.default_rng(3)
    labels = np.arange(100) % 2
    found = [
        paired.verdict(paired.paired([logits(rng, labels, 0.7)], [logits(rng, labels, 0.7)], labels, rng)).p
        for _ in range(120)
    ]
    assert stats.kstest(found, "uniform").pvalue > 0.01
    apart = paired.verdict(paired.paired([logits(rng, labels, 3.0)], [logits(rng, labels, 0.0)], labels, rng))
    assert apart.p == pytest.approx(2 / 1001)
    assert apart.low > 0


def test_the_mean_over_subsets_averages_effects_draws_and_seeds():
    rng = np.random.default_rng(4)
    labels = np.arange(60) % 2
    parts = [
        paired.paired([logits(rng, labels, s), logits(rng, labels, s)], [logits(rng, labels, 0)] * 2, labels, rng)
        for s in (0.5, 1.5)
    ]
    whole = paired.mean(parts)
    assert whole.effect == pytest.approx((parts[0].effect + parts[1].effect) / 2)
    assert whole.draws == pytest.approx((parts[0].draws + parts[1].draws) / 2)
    assert len(whole.by_seed) == 2
    assert paired.verdict(whole).seed_sd == pytest.approx(np.std(whole.by_seed, ddof=1))


def test_different_images_or_a_missing_class_are_refused():
    labels = np.arange(10) % 2
    with pytest.raises(ValueError, match="same images"):
        paired.paired([np.zeros(9, np.float32)], [np.zeros(10, np.float32)], labels, np.random.default_rng(0))
    with pytest.raises(ValueError, match="both classes"):
        paired.paired([np.zeros(10, np.float32)], [np.zeros(10, np.float32)], labels * 0, np.random.default_rng(0))


@pytest.mark.parametrize("lengths", [(7, 8, 8), (9, 8, 8), (8, 8, 9)])
def test_logits_of_other_images_are_refused(lengths):
    one, other, labels = (np.arange(count) for count in lengths)
    with pytest.raises(ValueError, match="same images"):
        paired.paired([one.astype(np.float32)], [other.astype(np.float32)], labels % 2, np.random.default_rng(0))
