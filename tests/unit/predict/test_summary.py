"""Metrics of labelled images against scikit-learn; their intervals are ordered and hold the value."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from bench.predict import summary


def lines(logits, labels, method="m", threshold=0.2):
    return [
        {"path": str(n), "method": method, "logit": logit, "label": label, "threshold": threshold}
        for n, (logit, label) in enumerate(zip(logits, labels, strict=True))
    ]


def test_metrics_are_scikit_learns():
    rng = np.random.default_rng(0)
    labels = (np.arange(160) % 2).tolist()
    logits = (rng.standard_normal(160) + labels).astype(np.float32).tolist()
    found = {one.metric: one for one in summary.measured(lines([*logits, None, 5.0], [*labels, 1, None]), 0.05)}
    assert found["ACC"].value == pytest.approx(np.mean((np.array(logits) > 0.2) == np.array(labels)))
    assert found["AUC"].value == pytest.approx(roc_auc_score(labels, logits))
    assert found["AP"].value == pytest.approx(average_precision_score(labels, logits))
    fpr, tpr, _ = roc_curve(labels, logits, drop_intermediate=False)
    assert found["TPR at 5 % FPR"].value == pytest.approx(tpr[fpr <= 0.05].max())
    assert all(one.interval.low < one.value < one.interval.high for one in found.values())


@pytest.mark.parametrize("gap", [-10.0, 10.0])
def test_perfect_and_reversed_scores_have_intervals(gap):
    labels = [0, 1] * 30
    found = summary.measured(lines([gap * label for label in labels], labels), 0.05)
    assert len(found) == 4
    ends = [(one.interval.low, one.value, one.interval.high) for one in found]
    assert all(0 <= low <= value + 1e-9 <= high + 2e-9 <= 1 + 3e-9 for low, value, high in ends)


def test_one_class_has_the_accuracy_alone_and_few_images_no_interval():
    assert [one.metric for one in summary.measured(lines([1.0, 0.0], [1, 1]), 0.05)] == ["ACC"]
    few = summary.measured(lines([1.0, 0.0], [1, 0]), 0.05)
    assert [one.interval is None for one in few] == [False, True, True, True]
    assert summary.measured(lines([1.0], [None]), 0.05) == []


def test_the_worst_mistakes_are_the_farthest_of_each_detector():
    first = lines([9.0, -3.0, 0.3, 0.1], [0, 1, 0, 0])
    second = lines([-1.0], [1], "other")
    assert [(w["method"], w["path"]) for w in summary.worst([*first, *second])] == [
        ("m", "0"),
        ("m", "1"),
        ("m", "2"),
        ("other", "0"),
    ]
