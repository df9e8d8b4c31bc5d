"""Intervals of training and test sampling, against analysis of variance and against simulated detectors."""

import numpy as np
import pytest
from scipy import stats

from bench.metrics import intervals, seeds
from bench.metrics.classification import accuracy, auc, tally
from bench.metrics.resampling import Cell, draws


def simulated(rng, skills, n=60, images=None, noise=None, shared=0.7):
    """A detector's seeds on the same images; an image's difficulty is shared among seeds."""
    labels = np.arange(2 * n) % 2
    hard = rng.standard_normal(2 * n) if noise is None else noise
    names = images or [f"{i:032x}" for i in rng.integers(1, 2**62, 2 * n)]
    logits = [
        (skill * labels + shared * hard + np.sqrt(1 - shared**2) * rng.standard_normal(2 * n)).astype(np.float32)
        for skill in skills
    ]
    cells = [Cell(x, labels, names, lambda c: {"auc": auc(c), "acc": accuracy(c, c.scores > 0)}) for x in logits]
    return cells, names, hard


def of(cells, name="auc"):
    values = [float(cell.compute(tally(cell.logits, cell.labels))[name]) for cell in cells]
    return seeds.joined([seeds.one(value, part[name]) for value, part in zip(values, draws(cells), strict=True)])


def test_one_seed_varies_with_the_images_alone():
    cells, _, _ = simulated(np.random.default_rng(0), [1.0])
    found = of(cells)
    spread = seeds.spread(found)
    assert spread.df == np.inf
    assert spread.variance == pytest.approx(found.draws.var(ddof=1), rel=1e-6)
    assert found.varies == seeds.TEST


def test_the_variance_is_obuchowski_and_rocketts():
    """Var = (MS + S × Cov2) / S with Cov2 the mean covariance between seeds, and Hillis' degrees of freedom."""
    cells, _, _ = simulated(np.random.default_rng(1), [1.0, 1.3, 0.6])
    found = of(cells)
    covariance = np.cov(found.draws.astype(float))
    cov2 = covariance[np.triu_indices(3, 1)].mean()
    ms = found.values.var(ddof=1)
    spread = seeds.spread(found)
    assert spread.variance == pytest.approx((ms + 3 * cov2) / 3, rel=1e-6)
    assert spread.df == pytest.approx((ms + 3 * cov2) ** 2 / (ms**2 / 2), rel=1e-6)
    assert found.varies == seeds.BOTH


def test_the_variance_is_that_of_crossed_random_effects():
    """For a plain mean it is that of analysis of variance: images crossed with seeds."""
    rng = np.random.default_rng(2)
    cells, _, _ = simulated(rng, rng.normal(1, 0.4, 6), n=400)
    found = of(cells, "acc")
    right = np.array([(cell.logits > 0) == (cell.labels == 1) for cell in cells], float)
    by_image, by_seed, n = right.mean(0), right.mean(1), right.shape[1]
    residual = right - by_image - by_seed[:, None] + right.mean()
    interaction = (residual**2).sum() / (5 * (n - 1))
    images = (by_image.var(ddof=1) - interaction / 6) / n
    assert seeds.spread(found).variance == pytest.approx(by_seed.var(ddof=1) / 6 + images, rel=0.1)


def test_intervals_cover_the_mean_of_all_trainings_and_images():
    """Three seeds whose skills differ, two subsets: 200 times, 95 % but for 3 standard errors is 90 %."""
    truth = np.mean([stats.norm.cdf(s / np.sqrt(2)) for s in np.random.default_rng(0).normal(0.8, 0.3, 200_000)])
    hits, test_only = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        skills = rng.normal(0.8, 0.3, 3)
        members = [of(simulated(rng, skills, n=40)[0]) for _ in range(2)]
        whole = seeds.mean(members)
        spread = seeds.spread(whole)
        found = intervals.around(whole.value, spread.variance, spread.df)
        hits += found.low <= truth <= found.high
        one = seeds.Seeds(whole.values[:1], whole.draws[:1])
        alone = intervals.around(one.value, seeds.spread(one).variance)
        test_only += alone.low <= truth <= alone.high
    assert hits / 200 >= 0.90
    assert test_only / 200 < 0.85, "an interval of one seed does not describe training"


def test_a_difference_of_equal_detectors_is_rarely_significant():
    """Two detectors of the same kind, three seeds each, on the same images; with and without variance of training."""
    for sd in (0.0, 0.3):
        found = []
        for seed in range(200):
            rng = np.random.default_rng(1000 + seed)
            one, names, hard = simulated(rng, rng.normal(0.8, sd, 3), n=40)
            other, _, _ = simulated(rng, rng.normal(0.8, sd, 3), n=40, images=names, noise=hard)
            pair = of(one), of(other)
            effect = pair[0].value - pair[1].value
            found.append(seeds.p_value(effect, seeds.difference(*pair)))
        assert np.mean(np.array(found) < 0.05) <= 0.09, sd


def test_pairing_narrows_the_difference_of_detectors_that_err_alike():
    rng = np.random.default_rng(4)
    one, names, hard = simulated(rng, [1.0, 1.0], shared=0.95)
    alike, _, _ = simulated(rng, [0.8, 0.8], images=names, noise=hard, shared=0.95)
    apart, _, _ = simulated(rng, [0.8, 0.8], shared=0.95)
    first = of(one)
    assert seeds.difference(first, of(alike)).variance < 0.5 * seeds.difference(first, of(apart)).variance


def test_a_large_difference_has_a_small_p_value():
    rng = np.random.default_rng(5)
    one, names, hard = simulated(rng, [2.5, 2.6, 2.4])
    other, _, _ = simulated(rng, [0.1, 0.0, -0.1], images=names, noise=hard)
    pair = of(one), of(other)
    assert seeds.p_value(pair[0].value - pair[1].value, seeds.difference(*pair)) < 0.01
    assert seeds.p_value(0.0, seeds.difference(*pair)) == 1.0


def test_the_mean_over_subsets_needs_the_same_seeds():
    cells, _, _ = simulated(np.random.default_rng(0), [1.0, 1.1])
    whole, part = of(cells), of(cells[:1])
    assert seeds.mean([whole, whole]).values == pytest.approx(whole.values)
    with pytest.raises(ValueError, match="same seeds"):
        seeds.mean([whole, part])


def test_two_tests_of_the_same_fits_are_paired_by_fit():
    """Var = (MS + S × Cov2) / S of the differences; a luck that both tests share leaves nothing."""
    cells, names, hard = simulated(np.random.default_rng(5), [1.4, 0.9, 0.3])
    others, _, _ = simulated(np.random.default_rng(6), [1.0, 0.5, 0.1], images=names, noise=hard)
    one, other = of(cells), of(others)
    found = seeds.spread(seeds.within(one, other))
    gaps = one.draws.astype(float) - other.draws.astype(float)
    cov2 = np.cov(gaps)[np.triu_indices(3, 1)].mean()
    ms = (one.values - other.values).var(ddof=1)
    assert found.variance == pytest.approx((ms + 3 * max(cov2, 0)) / 3, rel=1e-5)
    assert seeds.spread(seeds.within(one, one)).variance == 0
    with pytest.raises(ValueError, match="same seeds"):
        seeds.within(one, seeds.one(0.5, one.draws[0]))
