import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from bench.metrics import resampling
from bench.metrics.classification import accuracy, auc
from bench.metrics.resampling import Cell, counts, draws


def ids(number, start=0):
    return [f"{(i + start) * 7919 + 1:032x}" for i in range(number)]


def cell(seed, n=60, ties=False, images=None):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    logits = (rng.standard_normal(n) + labels).astype(np.float32)
    names = images or ids(n)
    return Cell(np.round(logits, 1) if ties else logits, labels, names, lambda c: {"auc": auc(c)})


def test_counts_are_poissons_and_independent():
    drawn = counts(ids(300))
    values, found = np.unique(drawn, return_counts=True)
    assert found / drawn.size == pytest.approx(stats.poisson.pmf(values, 1), abs=0.003)
    correlation = np.corrcoef(drawn.astype(float))[np.triu_indices(300, 1)]
    assert abs(correlation.mean()) < 0.002
    assert correlation.std() == pytest.approx(1 / np.sqrt(drawn.shape[1]), rel=0.05)


def test_an_images_counts_depend_on_it_alone():
    names = ids(40)
    whole = counts(names)
    assert (counts(names[::-1])[::-1] == whole).all()
    assert (counts(names[7:9]) == whole[7:9]).all()
    assert (np.hstack([counts(names, a, b) for a, b in ((0, 16), (16, 400), (400, 1000))]) == whole).all()


@pytest.mark.parametrize("ties", [True, False])
def test_draws_are_the_metrics_of_the_drawn_images(ties):
    one = cell(0, ties=ties)
    (found,) = draws([one])
    drawn = counts(one.images)
    for sample in (0, 17, 999):
        rows = np.repeat(np.arange(60), drawn[:, sample])
        wanted = roc_auc_score(one.labels[rows], one.logits[rows])
        assert found["auc"][sample] == pytest.approx(wanted, abs=1e-6)


def test_memory_is_bounded_without_changing_a_draw(monkeypatch):
    cells = [cell(seed, images=ids(60, 10 * seed)) for seed in range(3)]
    wanted = draws(cells)
    monkeypatch.setattr(resampling, "_HELD", 80 * 48)
    monkeypatch.setattr(resampling, "_BLOCK", 300)
    for one, other in zip(draws(cells), wanted, strict=True):
        assert (one["auc"] == other["auc"]).all()


def test_images_that_subsets_share_are_drawn_together():
    same, apart = (draws([cell(0), cell(0, images=names)]) for names in (ids(60), ids(60, 1000)))
    assert np.corrcoef(same[0]["auc"], same[1]["auc"])[0, 1] == pytest.approx(1)
    assert abs(np.corrcoef(apart[0]["auc"], apart[1]["auc"])[0, 1]) < 0.1


def test_a_sample_without_a_class_is_not_a_number():
    (found,) = draws([cell(0, n=4)])
    assert 0 < np.isnan(found["auc"]).mean() < 0.4


def test_the_standard_error_of_an_accuracy_is_the_binomials():
    rng = np.random.default_rng(3)
    logits, labels = np.where(rng.random(400) < 0.7, 1, -1).astype(np.float32), np.ones(400, np.int64)
    labels[:200], logits[:200] = 0, -logits[:200]
    (found,) = draws([Cell(logits, labels, ids(400), lambda c: {"acc": accuracy(c, c.scores > 0)})])
    rate = float(((logits > 0) == labels).mean())
    assert found["acc"].std() == pytest.approx(np.sqrt(rate * (1 - rate) / 400), rel=0.1)


def test_the_standard_error_of_an_auc_is_scipys_bootstrap():
    one = cell(5, n=200)

    def area(real, fake):
        return roc_auc_score(np.r_[np.zeros(len(real)), np.ones(len(fake))], np.r_[real, fake])

    parts = one.logits[one.labels == 0], one.logits[one.labels == 1]
    wanted = stats.bootstrap(parts, area, n_resamples=1000, vectorized=False, method="percentile", rng=1)
    (found,) = draws([one])
    assert found["auc"].std() == pytest.approx(wanted.standard_error, rel=0.1)
