"""Curves behind metrics, against scikit-learn."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score, roc_curve

from bench.metrics.classification import ECE_BINS, expected_calibration_error, tally
from bench.metrics.curves import reliability, roc


def made(seed, ties):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 300)
    logits = rng.standard_normal(300) + 0.8 * labels
    return (np.round(logits) if ties else logits).astype(np.float32), labels.astype(np.int64)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_scikit_learns(seed, ties):
    logits, labels = made(seed, ties)
    fpr, tpr, _ = roc_curve(labels, logits, drop_intermediate=False)
    grid = np.linspace(0, 1, 997)
    between = grid[np.abs(grid[:, None] - fpr).min(1) > 1e-6]  # Where it is vertical, interpolation has no one value.
    assert roc(tally(logits, labels), between) == pytest.approx(np.interp(between, fpr, tpr), abs=1e-9)
    highest = [tpr[fpr == rate].max() for rate in np.unique(fpr)]
    assert roc(tally(logits, labels), np.unique(fpr)) == pytest.approx(highest, abs=1e-9)


def test_its_area_is_the_auc():
    logits, labels = made(7, True)
    grid = np.linspace(0, 1, 20001)
    area = np.trapezoid(roc(tally(logits, labels), grid), grid)
    assert area == pytest.approx(roc_auc_score(labels, logits), abs=1e-4)


def test_a_perfect_detector_and_one_that_cannot_tell():
    labels = np.asarray([0, 0, 1, 1])
    grid = np.linspace(0, 1, 5)
    assert roc(tally(np.asarray([-2.0, -1.0, 1.0, 2.0]), labels), grid).tolist() == [1.0] * 5
    assert roc(tally(np.zeros(4), labels), grid).tolist() == grid.tolist()


def test_rates_of_the_grid_find_the_steps_that_equal_them():
    """100 photographs: their rates differ from those of a grid in the last bit."""
    logits = np.arange(200, dtype=np.float64)
    labels = np.arange(200) % 2
    fpr, tpr, _ = roc_curve(labels, logits, drop_intermediate=False)
    found = roc(tally(logits, labels), np.linspace(0, 1, 101))
    assert found == pytest.approx([tpr[np.abs(fpr - rate) < 1e-9].max() for rate in np.linspace(0, 1, 101)])


@pytest.mark.parametrize("seed", range(3))
def test_bins_are_scikit_learns_and_give_the_error(seed):
    logits, labels = made(seed, False)
    counts = tally(logits, labels)
    found = reliability(counts)
    kept = found.images > 0
    fakes, p_fake = calibration_curve(labels, 1 / (1 + np.exp(-logits.astype(np.float64))), n_bins=ECE_BINS)
    assert found.fakes[kept] / found.images[kept] == pytest.approx(fakes)
    assert found.p_fake[kept] / found.images[kept] == pytest.approx(p_fake)
    error = np.abs(found.fakes - found.p_fake).sum() / found.images.sum()
    assert error == pytest.approx(float(expected_calibration_error(counts)))
