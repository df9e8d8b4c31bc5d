"""AUC against the strength of a perturbation: which cells are found, their order and their numbers."""

import pytest
from sklearn.metrics import roc_auc_score

from bench.report import robustness
from bench.report.board import Board
from tests.unit.report.folders import cells_of, made

STEPS = ("none", "jpeg95", "jpeg75", "jpeg5", "permuted")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return made(tmp_path_factory.mktemp("robust"), perturbations=STEPS, holes=(("gamma", "adm"),))


def test_strengths_are_in_order_and_controls_have_none(results):
    ((plain, name),) = robustness.groups(Board(results))
    assert (plain.perturbation, name) == ("none", "jpeg")
    (perturbed,) = robustness.groups(Board(results)).values()
    assert [setting.perturbation for setting in perturbed] == ["jpeg95", "jpeg75", "jpeg5"]


def test_points_are_the_mean_auc_of_the_scores(results):
    board = Board(results)
    (((plain, name), perturbed),) = robustness.groups(board).items()
    data = robustness.points(board, plain, name, perturbed)
    assert list(data["strength"].unique()) == ["none", "95", "75", "5"]
    assert set(data["label"]) == {"alpha", "beta", "gamma"}
    for panel in ("source", "out"):
        for strength, step in (("none", "none"), ("75", "jpeg75")):
            found = data[(data["panel"] == panel) & (data["label"] == "beta") & (data["strength"] == strength)].iloc[0]
            areas = [roc_auc_score(labels, logits) for logits, labels in cells_of(results, "beta", panel, step)]
            assert found["auc"] == pytest.approx(sum(areas) / len(areas), abs=6e-5)
            assert found["low"] < found["auc"] < found["high"]
    holes = data[data["auc"].isna()]
    assert set(holes["label"] + holes["panel"]) == {"gammaout"}
    assert set(holes["reason"]) == {"no average without adm"}


def test_the_figure_is_written_once_with_its_data(results):
    board = Board(results)
    (path,) = robustness.write_robustness(board, results)
    assert path.name == "genimage-sdv14-aligned-to-aligned-jpeg-robustness.png"
    assert path.with_suffix(".csv").read_text().startswith("panel,method,label,strength,auc,low,high,seeds,reason\n")


def test_one_seed_and_no_unperturbed_cells_are_enough(tmp_path):
    results = made(tmp_path, seeds=1, perturbations=("jpeg90", "jpeg50"))
    board = Board(results)
    (((plain, name), perturbed),) = robustness.groups(board).items()
    assert list(robustness.points(board, plain, name, perturbed)["strength"].unique()) == ["90", "50"]
    assert len(robustness.write_robustness(board, results)) == 1


def test_a_folder_without_perturbations_has_no_figure(tmp_path):
    results = made(tmp_path, seeds=1)
    assert robustness.write_robustness(Board(results), results) == []
