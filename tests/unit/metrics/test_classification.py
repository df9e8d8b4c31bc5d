import numpy as np
import pytest
from sklearn import metrics

from bench.metrics import bootstrap, classification


def cell(seed, n_real=60, n_fake=45, ties=True):
    rng = np.random.default_rng(seed)
    labels = np.r_[np.zeros(n_real, np.int64), np.ones(n_fake, np.int64)]
    logits = (rng.standard_normal(len(labels)) + 0.8 * labels).astype(np.float32)
    return (np.round(logits, 1) if ties else logits), labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [True, False])
def test_metrics_are_scikit_learns(seed, ties):
    logits, labels = cell(seed, ties=ties)
    scores, real, fake = classification.tally(logits, labels)
    positive = scores > 0.0
    assert classification.auc(real, fake) == pytest.approx(metrics.roc_auc_score(labels, logits), abs=1e-12)
    assert classification.average_precision(real, fake) == pytest.approx(
        metrics.average_precision_score(labels, logits), abs=1e-12
    )
    called = logits > 0
    assert classification.accuracy(real, fake, positive) == pytest.approx(metrics.accuracy_score(labels, called))
    assert classification.fake_accuracy(fake, positive) == pytest.approx(metrics.recall_score(labels, called))
    assert classification.real_accuracy(real, positive) == pytest.approx(
        metrics.recall_score(labels, called, pos_label=0)
    )


def test_a_logit_of_zero_is_called_real():
    scores, real, fake = classification.tally(np.zeros(4, np.float32), np.array([0, 0, 1, 1]))
    assert classification.fake_accuracy(fake, scores > 0.0) == 0
    assert classification.auc(real, fake) == 0.5


def test_auc_below_one_half_is_never_flipped():
    logits, labels = cell(0)
    _, real, fake = classification.tally(-logits, labels)
    assert classification.auc(real, fake) < 0.5


def test_resampled_metrics_are_those_of_resampled_images():
    logits, labels = cell(1)
    scores, real, fake = classification.tally(logits, labels)
    rng = np.random.default_rng(0)
    reals, fakes = bootstrap.resample(real, rng), bootstrap.resample(fake, rng)
    assert (reals.sum(-1) == 60).all()
    assert (fakes.sum(-1) == 45).all()
    for draw in (0, 17, 999):
        drawn = np.r_[np.repeat(scores, reals[draw]), np.repeat(scores, fakes[draw])]
        truth = np.r_[np.zeros(60), np.ones(45)]
        assert classification.auc(reals, fakes)[draw] == pytest.approx(metrics.roc_auc_score(truth, drawn), abs=1e-12)
        expected = metrics.average_precision_score(truth, drawn)
        assert classification.average_precision(reals, fakes)[draw] == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_an_accuracy_is_the_binomials():
    right = np.array([60, 140])  # 200 reals, 140 of them below the threshold
    draws = classification.real_accuracy(
        bootstrap.resample(right[::-1], np.random.default_rng(3)), np.array([False, True])
    )
    low, high = bootstrap.percentile(draws)
    assert low == pytest.approx(0.7 - 1.96 * np.sqrt(0.7 * 0.3 / 200), abs=0.015)
    assert high == pytest.approx(0.7 + 1.96 * np.sqrt(0.7 * 0.3 / 200), abs=0.015)


def test_intervals_cover_the_truth_as_often_as_they_say():
    truth, hits = 0.7602, 0  # AUC of N(1, 1) against N(0, 1)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        logits = np.r_[rng.standard_normal(80), rng.standard_normal(80) + 1].astype(np.float32)
        _, real, fake = classification.tally(logits, np.r_[np.zeros(80, int), np.ones(80, int)])
        low, high = bootstrap.percentile(
            classification.auc(bootstrap.resample(real, rng), bootstrap.resample(fake, rng))
        )
        hits += low <= truth <= high
    assert 51 <= hits <= 60


def test_the_best_threshold_is_best_and_nearest_to_zero():
    logits, labels = cell(2)
    cut = classification.best_threshold(*classification.tally(logits, labels))
    best = max(((logits > c) == labels).mean() for c in np.r_[logits - 0.05, logits + 0.05])
    assert ((logits > cut) == labels).mean() == best
    separable = np.array([-3.0, -2.0, 2.0, 3.0], np.float32)
    assert classification.best_threshold(*classification.tally(separable, np.array([0, 0, 1, 1]))) == 0.0


@pytest.mark.parametrize("seed", range(12))
def test_the_best_threshold_is_that_of_trying_every_cut(seed):
    """Also where all images are best called real, or all fake: a cut beyond the outermost scores."""
    rng = np.random.default_rng(seed)
    logits = np.round(rng.normal(rng.uniform(-3, 3), 1, 9), 1).astype(np.float32)
    labels = (rng.random(9) < rng.choice([0.15, 0.5, 0.85])).astype(np.int64)
    labels[:2] = 0, 1
    levels = np.unique(logits).astype(float)
    cuts = [levels[0] - 1, *(levels[1:] + levels[:-1]) / 2, levels[-1] + 1]
    accuracy = [((logits > cut) == labels).mean() for cut in cuts]
    best = [cut for cut, value in zip(cuts, accuracy, strict=True) if value == max(accuracy)]
    assert classification.best_threshold(*classification.tally(logits, labels)) == pytest.approx(
        min(best, key=abs), abs=1e-6
    )


@pytest.mark.parametrize(("labels", "beyond"), [([0, 0, 0, 1], 4.0), ([1, 1, 1, 0], -1.0)])
def test_a_cut_may_lie_beyond_all_scores(labels, beyond):
    logits = np.asarray([1.0, 2.0, 3.0, 0.0] if labels[0] == 0 else [0.0, 1.0, 2.0, 3.0], np.float32)
    assert classification.best_threshold(*classification.tally(logits, np.asarray(labels))) == beyond
