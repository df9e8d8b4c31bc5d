"""Means over seeds, ranks and pairs of detectors, from the scores of simulated detectors."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.results import comparisons, rankings, rows, summary
from bench.results.comparisons import Side, between, corrected, printed, repeats
from bench.results.folder import Column, Entry, Matrix, Results
from bench.results.frames import to_csv
from bench.results.measure import measure
from bench.results.scores import Scores

PLACE = {"variant": "", "train": "sdv14", "train_protocol": "raw", "task": "detect", "dataset": "genimage"}
PLACE |= {"role": "test", "protocol": "raw", "perturbation": "none"}
SUBSETS = (("sdv14", "source"), ("adm", "out"), ("glide", "out"), ("vqdm", "out"))


def scores(subset, skill, noise, n=60):
    """Scores of images whose difficulty all detectors share, and noise of their own."""
    shared = np.random.default_rng(subset)
    labels = np.arange(2 * n) % 2
    logits = skill * labels + shared.standard_normal(2 * n) + 0.4 * np.random.default_rng(noise).standard_normal(2 * n)
    names = tuple(f"{subset:016x}{i:016x}" for i in range(2 * n))
    ok = ("ok",) * 2 * n
    return Scores(names, names, tuple(labels.tolist()), tuple(logits.astype(np.float32).tolist()), ok, ("",) * 2 * n)


def folder(root, methods, subsets=SUBSETS, pairs=()):
    """Results of methods with the skill of each seed."""
    results, entries, number = Results(root), [], 0
    for method, skills in methods.items():
        for seed, skill in enumerate(skills):
            for place, (subset, relation) in enumerate(subsets, 1):
                number += 1
                name = f"scores/{number}.parquet"
                results.write_scores(root / name, scores(place, skill, number), str(number))
                what = {"method": method, "seed": seed, "subset": subset, "relation": relation}
                entries.append(Entry(**what, **PLACE, fit=f"{number:032x}", key=str(number), scores=name))
    columns = tuple(Column("genimage", subset, subset) for subset, _ in subsets)
    results.write_matrix(Matrix(tuple(entries), columns, "suite", pairs=pairs))
    kinds = {method: "statistic" if method == "container" else "detector" for method in methods}
    results.write_json(results.cards, {m: {"kind": kind, "title": m} for m, kind in kinds.items()})
    return results


THREE = {"good": (2.0, 2.1, 1.9), "fair": (1.0, 1.1, 1.0), "poor": (0.1, 0.0, 0.1), "container": (0.0, 0.0, 0.0)}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return measure(folder(tmp_path_factory.mktemp("three"), THREE))


def line(table, method, subset, metric="auc"):
    return table[(table["method"] == method) & (table["subset"] == subset) & (table["metric"] == metric)]


def test_the_mean_over_seeds_is_that_of_the_rows(measured):
    for subset in ("adm", "mean:out", "pooled"):
        values = line(measured.rows, "good", subset)["value"]
        (found,) = line(measured.summary, "good", subset).to_dict("records")
        assert (len(values), found["seeds"]) == (3, 3)
        assert found["value"] == pytest.approx(values.mean())
        assert found["sd"] == pytest.approx(values.std())
        assert found["low"] < found["value"] < found["high"]
        assert found["varies"] == "training and test sampling"


def test_the_interval_over_seeds_is_wider_than_that_of_a_seed_if_seeds_differ(tmp_path):
    found = measure(folder(tmp_path, {"shaky": (0.2, 1.0, 1.8)}))
    (mean,) = line(found.summary, "shaky", "mean:out").to_dict("records")
    one = line(found.rows, "shaky", "mean:out")
    assert mean["high"] - mean["low"] > 3 * (one["high"] - one["low"]).mean()


def test_a_nearly_perfect_detector_is_not_told_more_precisely_than_a_perfect_one(tmp_path):
    """One image out of order in one of three seeds has next to no variance, and says next to nothing."""
    lows = {}
    for name, worst in (("perfect", 40.0), ("nearly", 27.5)):
        results = folder(tmp_path / name, {name: (1.0, 1.0, 1.0)}, SUBSETS[:2])
        for entry in results.read_matrix().entries:
            given = scores(1, 1.0, 1, n=60)
            logits = [40.0 + i if label else float(i % 30) for i, label in enumerate(given.label)]
            logits[1] = worst if entry.seed == 0 else 40.0
            results.write_scores(results.root / entry.scores, replace(given, logit=tuple(logits)), entry.key)
        (found,) = line(measure(results).summary, name, "adm").to_dict("records")
        lows[name] = found["low"]
        assert (found["value"] == 1.0) == (name == "perfect")
    assert lows["nearly"] <= lows["perfect"] < 0.95


def test_one_seed_is_test_sampling_and_has_no_rank(tmp_path):
    found = measure(folder(tmp_path, {"good": (2.0,), "poor": (0.1, 0.0)}))
    (mean,) = line(found.summary, "good", "mean:out").to_dict("records")
    (row,) = line(found.rows, "good", "mean:out").to_dict("records")
    assert (mean["varies"], mean["low"], mean["high"]) == ("test sampling only", row["low"], row["high"])
    good = found.ranks.set_index("method").loc["good"]
    assert (good["first"], good["last"], good["reason"][:8]) == (0, 0, "one seed")
    assert found.pairs.empty


def test_ranks_count_significant_differences(measured):
    ranks = measured.ranks.set_index("method")
    assert "container" not in ranks.index
    assert ranks[["first", "last"]].to_numpy().tolist() == [[2, 2], [1, 1], [3, 3]]  # fair, good, poor
    assert ranks["mean_rank"].tolist() == [2.0, 1.0, 3.0]
    assert ranks["critical_difference"].nunique() == 1
    assert len(measured.pairs) == 3
    assert (measured.pairs["p_holm"] >= measured.pairs["p"]).all()


def test_a_few_images_rank_nobody(tmp_path):
    """And draw no warning: half of the bootstrap samples of three images lack a class."""
    results = folder(tmp_path, THREE)
    for entry in results.read_matrix().entries:
        results.write_scores(tmp_path / entry.scores, scores(1, 1.0, int(entry.key), n=3), entry.key)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure(results)
    assert set(found.ranks["reason"]) == {"fewer than 20 images in a class"}
    assert (found.ranks["first"] == 0).all()
    assert found.summary["low"].isna().all()


def test_a_subset_beside_the_averages_may_be_a_hole(tmp_path):
    results = folder(tmp_path, THREE)
    matrix = results.read_matrix()
    holes = [
        replace(e, status="failed", reason="x", scores="") if (e.subset, e.method) == ("vqdm", "good") else e
        for e in matrix.entries
    ]
    columns = tuple(replace(column, averaged=column.subset != "vqdm") for column in matrix.columns)
    results.write_matrix(replace(matrix, entries=tuple(holes), columns=columns))
    found = measure(results)
    (mean,) = line(found.summary, "good", "mean:out").to_dict("records")
    two = [line(found.summary, "good", subset)["value"].item() for subset in ("adm", "glide")]
    assert mean["value"] == pytest.approx(np.mean(two))
    assert found.ranks.set_index("method").loc["good", "first"] == 1


def test_detectors_alike_share_their_rank(tmp_path):
    found = measure(folder(tmp_path, {"a": (1.0, 1.1, 0.9), "b": (1.0, 0.9, 1.1), "poor": (0.0, 0.1, 0.0)}))
    ranks = found.ranks.set_index("method")
    assert ranks.loc[["a", "b"], ["first", "last"]].to_numpy().tolist() == [[1, 2], [1, 2]]
    assert ranks.loc["poor", "first"] == 3


def test_the_files_are_read_as_they_were_written(measured, tmp_path):
    results = Results(tmp_path)
    for path, text in measured.texts(results).items():
        path.write_text(text)
    assert to_csv(summary.read(results.summary)) == results.summary.read_text()
    assert to_csv(rankings.read(results.ranks)) == results.ranks.read_text()
    assert len(rankings.read_pairs(results.pairs)) == len(measured.pairs)
    assert len(rows.read(results.rows)) == len(measured.rows)


def test_a_method_more_changes_no_number_of_the_others(measured, tmp_path):
    fewer = measure(folder(tmp_path, {"good": THREE["good"]}))
    names = ["method", "seed", "subset", "metric", "threshold_rule", "value", "low", "high"]
    same = measured.rows[measured.rows["method"] == "good"]
    assert fewer.rows[names].reset_index(drop=True).equals(same[names].reset_index(drop=True))


def test_compared_methods_are_corrected_for_the_rows_that_are_printed(tmp_path):
    results = folder(tmp_path, THREE, pairs=(("good", "fair"), ("fair", "poor")))
    found = comparisons.compute(results)
    shown = printed(found)
    assert set(found.loc[shown, "subset"]) == {"sdv14", "mean:all", "mean:out"}
    assert found.loc[shown, "p_holm"].notna().all()
    assert found.loc[~shown, "p_holm"].isna().all()
    assert found.loc[~shown, "corrected_low"].isna().all()
    for row in found[shown].itertuples():
        half = row.se * stats.t.ppf(1 - 0.025 / shown.sum(), row.df)
        assert (row.corrected_low, row.corrected_high) == pytest.approx((row.effect - half, row.effect + half))
        assert row.corrected_low < row.low
    assert repeats(found).sum() == 0
    (out,) = found[(found["one"] == "good") & (found["subset"] == "mean:out")].to_dict("records")
    means = line(measure(results).summary, "good", "mean:out"), line(measure(results).summary, "fair", "mean:out")
    assert out["effect"] == pytest.approx(means[0]["value"].item() - means[1]["value"].item())
    assert 0 < out["low"] < out["effect"] < out["high"]
    assert (out["varies"], out["seeds"]) == ("training and test sampling", 3)


def test_one_seed_each_has_delongs_and_mcnemars_tests(tmp_path):
    results = folder(tmp_path, {"good": (2.0,), "fair": (1.0,)})
    found = between(Side(results, "good"), Side(results, "fair"), ("good", "fair")).set_index("subset")
    assert found.loc["adm", "interval"] == "delong"
    assert 0 < found.loc["adm", "p_mcnemar"] < 1
    assert found.loc["mean:out", "interval"] == "z"
    assert (found["varies"] == "test sampling only").all()
    family = pd.Series(found.index == "mean:out", found.index)
    read_together = corrected(found, family).loc["mean:out"]
    half = stats.norm.ppf(0.975) * read_together["se"]
    assert read_together["corrected_high"] == pytest.approx(read_together["effect"] + half)
    json.dumps(found.astype(object).where(found.notna(), None).to_dict("records"), allow_nan=False)


def test_six_generators_have_wilcoxons_test(tmp_path):
    subsets = tuple((f"g{i}", "out") for i in range(6))
    results = folder(tmp_path, {"good": (2.0, 2.1), "poor": (0.1, 0.2)}, subsets)
    found = between(Side(results, "good"), Side(results, "poor"), ("good", "poor")).set_index("subset")
    assert found.loc["mean:out", "p_wilcoxon"] == pytest.approx(2 / 2**6)
    assert np.isnan(found.loc["g0", "p_wilcoxon"])


def test_only_images_that_both_have_scored_are_compared(tmp_path):
    results = folder(tmp_path, {"good": (2.0,), "fair": (1.0,)})
    bad = scores(2, 2.0, 2)
    failed = replace(bad, status=("unreadable", *bad.status[1:]), logit=(float("nan"), *bad.logit[1:]))
    results.write_scores(tmp_path / "scores/2.parquet", failed, "2")
    found = between(Side(results, "good"), Side(results, "fair"), ("good", "fair")).set_index("subset")
    assert (found.loc["adm", "n_real"], found.loc["adm", "n_fake"], found.loc["glide", "n_real"]) == (59, 60, 60)
    assert corrected(found.reset_index(), found.reset_index()["p"].notna())["p_holm"].notna().all()
