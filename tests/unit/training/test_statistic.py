import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from bench.training import statistic

RNG = np.random.default_rng(0)
LABELS = [0, 1] * 100
RISING = RNG.normal(0, 1, 200) + np.asarray(LABELS)


def test_a_rising_number_is_calibrated_as_a_logistic_regression():
    state = statistic.fit(list(RISING), LABELS, rising=True)
    assert state == statistic.fit(list(RISING), LABELS)
    slope, bias = state["slope"] / state["scale"], state["bias"] - state["slope"] * state["centre"] / state["scale"]
    signs = 2 * np.asarray(LABELS) - 1
    told = minimize(lambda x: -log_expit(signs * (x[0] + x[1] * RISING)).sum(), (0.0, 0.0)).x
    assert (bias, slope) == pytest.approx(told, rel=0.02)


@pytest.mark.parametrize("labels", [LABELS, [0] * 150 + [1] * 50])
def test_a_known_direction_stays_where_the_training_images_contradict_it(labels):
    falling = RNG.normal(0, 1, 200) - np.asarray(labels)
    state = statistic.fit(list(falling), labels, rising=True)
    scores = statistic.logits(state, list(falling))
    assert list(np.argsort(scores)) == list(np.argsort(falling))
    assert expit(scores).mean() == pytest.approx(np.mean(labels), abs=1e-6)
    assert statistic.fit(list(falling), labels)["slope"] < 0


def test_words_have_the_odds_of_their_training_images():
    state = statistic.fit(["png", "png", "jpeg", "jpeg"], [1, 1, 0, 1])
    assert statistic.logits(state, ["png", "jpeg", "webp"]) == pytest.approx([math.log(2.5 / 0.5), 0.0, 0.0])
