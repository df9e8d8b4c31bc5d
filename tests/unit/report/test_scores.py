"""ROC curves, histograms and reliability diagrams: their data against scikit-learn and numpy, and odd folders."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_curve

from bench.report import calibration, histograms, roc, samples
from bench.report.board import Board
from bench.report.publish import publish
from bench.report.scores import write_scores
from bench.report.write import write_report
from bench.results.folder import Results
from tests.unit.report.folders import SUBSETS, cells_of, made, stand_in


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return made(tmp_path_factory.mktemp("figures"))


def drawn(results):
    board = Board(results)
    (setting,) = samples.settings(board)
    return board, setting, samples.parts(board, results, setting)


def test_curves_are_means_of_scikit_learns(results):
    data = roc.curves(*drawn(results)).set_index(["method", "relation"])
    assert list(data.index) == [(m, r) for m in ("Alpha", "Beta", "Gamma") for r in ("source", "family", "out")]
    assert data.loc[("Alpha", "out"), "cells"] == 4  # Two generators, two seeds.
    for method, relation in data.index:
        curves = []
        for logits, labels in cells_of(results, method.lower(), relation):
            fpr, tpr, _ = roc_curve(labels, logits, drop_intermediate=False)
            steps = {rate: tpr[fpr == rate].max() for rate in fpr}
            exact = [next((top for at, top in steps.items() if abs(at - rate) < 1e-9), None) for rate in roc.GRID]
            between = np.interp(roc.GRID, fpr, tpr)
            curves.append([b if e is None else e for e, b in zip(exact, between, strict=True)])
        given = data.loc[(method, relation), [f"{rate:.2f}" for rate in roc.GRID]].to_numpy(float)
        assert given == pytest.approx(np.mean(curves, axis=0), abs=6e-5)


def test_the_auc_is_that_of_the_summary(results):
    board, setting, parts = drawn(results)
    data = roc.curves(board, setting, parts).set_index(["method", "relation"])
    for relation, subset in (("source", "sdv14"), ("family", "mean:family"), ("out", "mean:out")):
        value = board.value(setting, "alpha", subset, "auc").value
        assert data.loc[("Alpha", relation), "auc"] == pytest.approx(100 * value, abs=0.006)


def test_shares_are_numpys_histograms(results):
    data = histograms.shares(drawn(results)[2]).set_index(["method", "images"])
    bins = list(data.columns[2:])
    source, out = (cells_of(results, "alpha", relation) for relation in ("source", "out"))
    groups = ((histograms.PHOTOGRAPHS, [*source, *out], 0), (histograms.SOURCE, source, 1), (histograms.OUT, out, 1))
    for name, cells, label in groups:
        shares = []
        for logits, labels in cells:
            p_fake = expit(np.asarray(logits, np.float64)[np.asarray(labels) == label])
            shares.append(np.histogram(p_fake, len(bins), (0, 1))[0] / len(p_fake))
        assert data.loc[("Alpha", name), bins].to_numpy(float) == pytest.approx(np.mean(shares, axis=0), abs=6e-5)
    table = pd.read_csv(results.thresholds)
    cuts = sorted(table.loc[table["method"] == "alpha", "p_fake"])
    given = data.loc[("Alpha", histograms.OUT), "thresholds"].split(";")
    assert [float(cut) for cut in given] == pytest.approx(cuts, abs=6e-5)


def test_bins_are_scikit_learns_and_the_error_is_that_of_the_summary(results):
    board, setting, parts = drawn(results)
    data = calibration.bins(board, setting, parts)
    for relation, subset in (("source", "sdv14"), ("out", "mean:out")):
        mine = data[(data["method"] == "Beta") & (data["relation"] == relation)]
        logits, labels = (np.concatenate(part) for part in zip(*cells_of(results, "beta", relation), strict=True))
        fakes, p_fake = calibration_curve(labels, expit(logits.astype(np.float64)), n_bins=15)
        assert mine["fakes"].to_numpy() == pytest.approx(fakes, abs=6e-5)
        assert mine["p_fake"].to_numpy() == pytest.approx(p_fake, abs=6e-5)
        assert mine["images"].sum() == len(labels)
        value = board.value(setting, "beta", subset, "ece").value
        assert mine["ece"].unique().tolist() == pytest.approx([100 * value], abs=0.006)


def test_a_missing_cell_costs_its_line_and_is_explained(tmp_path):
    results = made(tmp_path, seeds=1, holes=(("beta", "biggan"), ("gamma", "sdv14")))
    board, setting, parts = drawn(results)
    data = roc.curves(board, setting, parts).set_index(["method", "relation"])
    assert data["reason"].ne("").sum() == 2
    assert data.loc[("Beta", "out"), "reason"] == "no average without biggan"
    assert data.loc[("Gamma", "source"), "reason"] == "no such images"
    assert data.loc[("Beta", "out"), "0.50":"1.00"].isna().all()
    words = roc.caption(board, setting, data.reset_index())
    assert "Not drawn: Beta out (no average without biggan); Gamma source (no such images)." in words
    assert len(write_scores(board, results)) == 3


def test_a_cell_of_one_class_is_a_hole(tmp_path):
    results = made(tmp_path, seeds=1)
    wanted = ("test", "alpha", "sdv14")
    entry = next(e for e in results.read_matrix().entries if (e.role, e.method, e.subset) == wanted)
    table = results.read_scores(entry.scores)
    status = tuple("ok" if label else "unreadable" for label in table.label)
    results.write_scores(results.root / entry.scores, replace(table, status=status), "")
    board, setting, parts = drawn(results)
    reasons = roc.curves(board, setting, parts).set_index(["method", "relation"])["reason"]
    assert reasons["Alpha", "source"].startswith("no readable real image")


def test_a_folder_without_per_image_scores_has_none_of_these_figures(tmp_path):
    results = made(tmp_path, seeds=1)
    shutil.rmtree(tmp_path / "scores")
    names = [path.name for path in write_report(results).figures]
    assert not [name for name in names if name.endswith(("-roc.png", "-scores.png", "-calibration.png"))]
    assert any(name.endswith("-matrix.png") for name in names)


def test_a_dataset_without_the_training_generator_has_lines_out_of_family_alone(tmp_path):
    results = made(tmp_path, seeds=1, subsets=SUBSETS[2:])
    board, _, parts = drawn(results)
    assert {part.relation for part in parts} == {"out"}
    assert len(write_scores(board, results)) == 3


def test_images_before_and_after_a_change_of_protocol_are_not_drawn(tmp_path):
    board = Board(made(tmp_path, seeds=1, protocols=("raw", "aligned"), perturbations=("none", "jpeg75")))
    assert [(s.protocol, s.perturbation) for s in samples.settings(board)] == [("aligned", "none"), ("raw", "none")]


def test_a_published_folder_has_the_same_data(tmp_path):
    results = made(tmp_path / "run", seeds=1)
    write_report(results)
    stand_in(results, "run", "costs", "images", "citations")
    publish(results, tmp_path / "board")
    copy = Results(tmp_path / "board")
    data = sorted(path.name for path in results.figures.glob("*.csv"))
    assert [path.name for path in sorted(copy.figures.glob("*.csv"))] == data
    for name in data:
        assert (copy.figures / name).read_text() == (results.figures / name).read_text()
    assert not list(copy.figures.glob("*.svg"))
    publish(results, tmp_path / "plain", figures=False)
    assert not list((tmp_path / "plain").glob("figures/*"))
    assert json.loads((tmp_path / "plain" / "digests.json").read_text())
