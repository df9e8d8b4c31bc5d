"""What a detector loses with artefacts that cannot help: paired by image and by fit, against numpy and scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bench.cli.inspect import verify
from bench.metrics import seeds
from bench.report.board import Board
from bench.report.controls import write_controls
from bench.report.write import write_report
from bench.results import comparisons, controls, derived
from bench.results.comparisons import Side
from bench.results.folder import Results
from tests.unit.results.test_summary import folder, scores

#: Each seed has its own luck, which the control shares: own skill, and what is left of it.
LUCK = {"own": (2.4, 1.6, 0.9), "controlled": (1.9, 1.1, 0.4)}
SUBSETS = (("sdv14", "source"), ("sdv15", "family"), ("adm", "out"), ("glide", "out"))


def fill(root, subsets=SUBSETS):
    """A detector with three seeds and the control ``permuted``, and one to which the control does not apply."""
    results = folder(root, {"alpha": LUCK["own"], "beta": (1.0, 1.0, 1.0)}, subsets)
    matrix, more = results.read_matrix(), []
    for entry in matrix.entries:
        if entry.label == "alpha":
            name, place = f"scores/c{entry.key}.parquet", 1 + [s for s, _ in subsets].index(entry.subset)
            made = scores(place, LUCK["controlled"][entry.seed], int(entry.key))
            results.write_scores(root / name, made, f"c{entry.key}")
            more.append(replace(entry, perturbation="permuted", scores=name, key=f"c{entry.key}"))
    results.write_matrix(replace(matrix, entries=(*matrix.entries, *more)))
    derived.write(results)
    return results


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("controls"))


def areas(results, subset, perturbation):
    """AUC of every seed by scikit-learn."""
    entries = [e for e in results.read_matrix().entries if e.label == "alpha" and e.subset == subset]
    tables = [results.table(e.scores) for e in entries if e.perturbation == perturbation]
    return np.array([roc_auc_score(table["label"], table["logit"]) for table in tables])


def test_the_training_generator_and_the_mean_out_of_family_have_a_row(made):
    found = controls.read(made)
    assert found[["method", "subset", "control"]].to_numpy().tolist() == [
        ["alpha", "mean:out", "permuted"],
        ["alpha", "sdv14", "permuted"],
    ]
    row = found.set_index("subset").loc["sdv14"]
    own, controlled = (areas(made, "sdv14", name).mean() for name in ("none", "permuted"))
    assert row["own"] == pytest.approx(own, abs=1e-6)
    assert row["controlled"] == pytest.approx(controlled, abs=1e-6)
    assert row["lost"] == pytest.approx(own - controlled, abs=1e-6)
    assert row["own_low"] < own < row["own_high"]
    assert (row["seeds"], row["n_real"], row["n_fake"], row["reason"]) == (3, 60, 60, "")


def test_the_interval_is_of_the_differences_of_each_fit(made):
    """The luck that a fit has in both tests cancels: independent seeds would hide the loss."""
    row = controls.read(made).set_index("subset").loc["sdv14"]
    per_fit = areas(made, "sdv14", "none") - areas(made, "sdv14", "permuted")
    pair = Side(made, "alpha"), Side(made, "alpha", perturbation="permuted")
    compared = comparisons.between(*pair, ("own", "permuted")).set_index("subset").loc["sdv14"]
    assert compared["se"] ** 2 >= per_fit.var(ddof=1) / 3
    assert row["lost_low"] > 0
    drawn = [
        seeds.joined([seeds.one(float(v), np.zeros(8, np.float32)) for v in areas(made, "sdv14", n)])
        for n in ("none", "permuted")
    ]
    assert compared["se"] ** 2 < seeds.difference(*drawn).variance


def test_p_values_are_corrected_for_all_rows(made):
    found = controls.read(made)
    smallest = found["lost_p"].idxmin()
    assert found.loc[smallest, "p_holm"] == pytest.approx(min(1, 2 * found.loc[smallest, "lost_p"]))


def test_the_table_shows_the_loss_and_marks_what_is_significant(made):
    write_controls(Board(made), made)
    text = (made.tables / "controls.md").read_text()
    row = controls.read(made).set_index("subset").loc["sdv14"]
    number = f"{100 * row['lost']:+.1f}"
    shown = f"**{number}**" if row["p_holm"] < 0.05 else number
    assert f"| {shown} [{100 * row['lost_low']:+.1f}, {100 * row['lost_high']:+.1f}]" in text
    assert "| alpha " in text
    assert "| beta " not in text


def test_verify_recomputes_the_file(made):
    write_report(made, figures=False)
    assert verify(made)[1] == []
    text = made.controls.read_text()
    made.controls.write_text(text.replace("0.", "0.1", 1))
    (line,) = verify(made)[1]
    assert line.startswith("controls.csv is not what the scores say: line ")
    made.controls.unlink()
    assert verify(made)[1] == ["controls.csv is missing"]
    made.controls.write_text(text)


def test_a_run_without_source_and_strangers_has_no_file_and_no_table(tmp_path):
    """As ``--test`` with one subset of the family; the run must not end in an error."""
    results = fill(tmp_path, (("sdv15", "family"),))
    assert not results.controls.exists()
    assert write_controls(Board(results), results) == []


def test_an_earlier_file_does_not_stay(tmp_path):
    results = Results(tmp_path)
    fill(tmp_path)
    assert results.controls.exists()
    matrix = results.read_matrix()
    results.write_matrix(replace(matrix, entries=tuple(e for e in matrix.entries if e.perturbation == "none")))
    derived.write(results)
    assert not results.controls.exists()
