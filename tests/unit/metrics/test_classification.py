import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import metrics
from sklearn.calibration import calibration_curve

from bench.metrics import classification
from bench.metrics.classification import METRICS, Tally, tally


def cell(seed, n_real=60, n_fake=45, ties=True):
    rng = np.random.default_rng(seed)
    labels = np.r_[np.zeros(n_real, np.int64), np.ones(n_fake, np.int64)]
    logits = (1.5 * rng.standard_normal(len(labels)) + 0.8 * labels).astype(np.float32)
    return (np.round(logits, 1) if ties else logits), labels


def reference(logits, labels):
    """Every metric by scikit-learn and scipy, by (metric, rule) with a threshold of 0.3 for ``source_val``."""
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    fpr, tpr, _ = metrics.roc_curve(labels, logits, drop_intermediate=False)
    cuts = np.r_[np.unique(logits) - 1e-4, logits.max() + 1]
    shares, means = calibration_curve(labels, p, n_bins=15)
    sizes = np.histogram(p, np.linspace(0, 1, 16))[0]
    wanted = {
        ("auc", ""): metrics.roc_auc_score(labels, logits),
        ("ap", ""): metrics.average_precision_score(labels, logits),
        ("real_ap", ""): metrics.average_precision_score(1 - labels, -logits),
        ("eer", ""): brentq(lambda x: 1 - x - float(interp1d(fpr, tpr)(x)), 0, 1, xtol=1e-13),
        ("tpr_at_1fpr", ""): tpr[fpr <= 0.01].max(),
        ("tpr_at_5fpr", ""): tpr[fpr <= 0.05].max(),
        ("oracle_acc", ""): max(metrics.accuracy_score(labels, logits > cut) for cut in cuts),
        ("brier", ""): metrics.brier_score_loss(labels, p),
        ("nll", ""): metrics.log_loss(labels, p),
        ("ece", ""): float(np.abs(shares - means) @ sizes[sizes > 0] / len(p)),
    }
    for rule, cut in (("0.5", 0.0), ("source_val", 0.3)):
        called = logits > cut
        wanted |= {
            ("acc", rule): metrics.accuracy_score(labels, called),
            ("balanced_acc", rule): metrics.balanced_accuracy_score(labels, called),
            ("real_acc", rule): metrics.recall_score(labels, called, pos_label=0),
            ("fake_acc", rule): metrics.recall_score(labels, called),
        }
    return wanted


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [True, False])
def test_metrics_are_scikit_learns(seed, ties):
    logits, labels = cell(seed, ties=ties)
    found, wanted = classification.compute_all(tally(logits, labels), 0.3), reference(logits, labels)
    assert set(found) == set(wanted) == set(classification.names())
    for key, value in wanted.items():
        assert found[key] == pytest.approx(value, abs=1e-9), key


def test_a_batch_of_counts_is_measured_as_each_of_its_samples():
    logits, labels = cell(3)
    counts = tally(logits, labels)
    rng = np.random.default_rng(0)
    drawn = [rng.poisson(1, (7, len(counts.scores))) * part for part in (counts.real, counts.fake)]
    found = classification.compute_all(Tally(counts.scores, *map(np.asarray, drawn)), 0.3)
    for sample in range(7):
        repeats = [part[sample].astype(int) for part in drawn]
        again = np.r_[np.repeat(counts.scores, repeats[0]), np.repeat(counts.scores, repeats[1])]
        truth = np.r_[np.zeros(repeats[0].sum(), np.int64), np.ones(repeats[1].sum(), np.int64)]
        for key, value in reference(again, truth).items():
            assert found[key][sample] == pytest.approx(value, abs=1e-9), key


def test_without_a_validation_threshold_its_rule_is_left_out():
    logits, labels = cell(0)
    rules = {rule for _, rule in classification.compute_all(tally(logits, labels), None)}
    assert rules == {"", "0.5"}
    assert ("oracle_acc", "") not in classification.compute_all(tally(logits, labels), None, without=["oracle_acc"])
    assert [name for name, metric in METRICS.items() if not metric.estimates] == ["oracle_acc"]


def test_a_logit_of_zero_is_called_real():
    counts = tally(np.zeros(4, np.float32), np.array([0, 0, 1, 1]))
    assert classification.fake_accuracy(counts, counts.scores > 0.0) == 0
    assert classification.auc(counts) == 0.5
    assert classification.equal_error_rate(counts) == 0.5


def test_auc_below_one_half_is_never_flipped():
    logits, labels = cell(0)
    assert classification.auc(tally(-logits, labels)) < 0.5


def test_extreme_logits_give_finite_numbers():
    counts = tally(np.array([-1e4, 1e4, -1e4, 1e4], np.float32), np.array([0, 0, 1, 1]))
    found = classification.compute_all(counts, None)
    assert all(np.isfinite(value) for value in found.values())
    assert found["nll", ""] == pytest.approx(5e3)


def test_the_best_threshold_is_best_and_nearest_to_zero():
    logits, labels = cell(2)
    cut = classification.best_threshold(tally(logits, labels))
    best = max(((logits > c) == labels).mean() for c in np.r_[logits - 0.05, logits + 0.05])
    assert ((logits > cut) == labels).mean() == best
    separable = np.array([-3.0, -2.0, 2.0, 3.0], np.float32)
    assert classification.best_threshold(tally(separable, np.array([0, 0, 1, 1]))) == 0.0


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
    assert classification.best_threshold(tally(logits, labels)) == pytest.approx(min(best, key=abs), abs=1e-6)


@pytest.mark.parametrize(("labels", "beyond"), [([0, 0, 0, 1], 4.0), ([1, 1, 1, 0], -1.0)])
def test_a_cut_may_lie_beyond_all_scores(labels, beyond):
    logits = np.asarray([1.0, 2.0, 3.0, 0.0] if labels[0] == 0 else [0.0, 1.0, 2.0, 3.0], np.float32)
    assert classification.best_threshold(tally(logits, np.asarray(labels))) == beyond
