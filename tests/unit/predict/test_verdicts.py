"""Thresholds from photographs hold their false positive rate, and their bands hold the truth as often as they say."""

import math

import numpy as np
import pytest

from bench.artefacts.store import Store
from bench.errors import UserError
from bench.predict import verdicts
from bench.predict.verdicts import FAKE, INCONCLUSIVE, REAL, Threshold


@pytest.mark.parametrize(("count", "fpr"), [(100, 0.05), (137, 0.05), (60, 0.1), (1000, 0.01), (20, 0.5)])
def test_at_most_the_asked_share_of_photographs_is_above(count, fpr):
    logits = np.random.default_rng(count).standard_normal(count)
    found = verdicts.of_photographs(logits, fpr)
    assert (logits > found.cut).mean() <= fpr < (logits >= found.cut).mean()
    assert found.low <= found.cut <= found.high


@pytest.mark.parametrize(("count", "fpr"), [(100, 0.05), (300, 0.05), (150, 0.1)])
def test_the_band_contains_the_true_threshold_at_least_as_often_as_it_says(count, fpr):
    rng, truth = np.random.default_rng(7), 1 - fpr  # Uniform scores: the quantile is its own value.
    bands = [verdicts.of_photographs(rng.random(count), fpr) for _ in range(2000)]
    covered = np.mean([band.low <= truth <= band.high for band in bands])
    assert 0.945 <= covered <= 0.99


def test_few_photographs_allow_no_verdict_fake_and_very_few_nothing():
    assert verdicts.needed(0.05) == 72
    few, enough = (verdicts.of_photographs(np.arange(count, dtype=float), 0.05) for count in (71, 72))
    assert math.isinf(few.high)
    assert few.verdict(1e6) == INCONCLUSIVE
    assert enough.high == 71.0
    assert enough.verdict(71.5) == FAKE
    with pytest.raises(UserError, match="72 are needed"):
        verdicts.of_photographs([0.0] * 19, 0.05)


def test_ties_are_not_above():
    found = verdicts.of_photographs([0.0] * 50 + [1.0] * 50, 0.05)
    assert found.verdict(1.0) == REAL
    assert found.verdict(1.1) == FAKE


@pytest.mark.parametrize(
    ("logit", "verdict"), [(None, ""), (-1.0, REAL), (0.0, REAL), (0.1, INCONCLUSIVE), (1.0, INCONCLUSIVE), (1.1, FAKE)]
)
def test_verdicts(logit, verdict):
    assert Threshold(0.5, 0.0, 1.0, "").verdict(logit) == verdict


def test_detectors_disagree_if_they_say_opposite_things():
    assert verdicts.disagree([REAL, FAKE, INCONCLUSIVE])
    assert not verdicts.disagree([REAL, INCONCLUSIVE, ""])


def test_the_threshold_of_validation_images_is_that_of_the_fit(tmp_path):
    assert verdicts.of_validation(tmp_path, "a") is None
    (tmp_path / "thresholds.csv").write_text("fit,logit,n_real,n_fake,train_protocol\na,0.25,10,12,aligned\n")
    assert verdicts.of_validation(tmp_path, "b") is None
    found = verdicts.of_validation(tmp_path, "a")
    assert (found.cut, found.low, found.high) == (0.25, 0.25, 0.25)
    assert "22 validation images, aligned" in found.rule


def test_scores_of_photographs_are_kept(tmp_path):
    store = Store(tmp_path)
    key = verdicts.key_of("fit", ["b", "a"])
    assert key == verdicts.key_of("fit", ["a", "b"]) != verdicts.key_of("other", ["a", "b"])
    assert verdicts.kept(store, key) is None
    verdicts.keep(store, key, [0.5, 1.5], {"method": "m"})
    assert verdicts.kept(store, key) == [0.5, 1.5]
