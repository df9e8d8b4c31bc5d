"""Scores of a detector that lives elsewhere, from the command line."""

from tests.e2e.conftest import bench
from tests.unit.results.test_external import scores


def test_scores_get_a_board_a_page_and_can_be_verified(tmp_path):
    file, results = tmp_path / "theirs.csv", tmp_path / "results"
    scores().to_csv(file, index=False)
    done = bench("import-scores", file, "--scores", "prob_*", "--results", results)
    assert done.returncode == 0, done.stderr
    assert "## theirs, external scores, raw" in done.stdout
    assert "read 90 images, scored by prob_a, prob_b" in done.stdout
    assert (results / "report" / "index.html").exists()
    assert len(list((results / "figures").glob("*-roc.png"))) == 1
    assert bench("verify", "--results", results).returncode == 0
    compared = bench("compare", "prob_a", "prob_b", "--results", results)
    assert compared.returncode == 0, compared.stderr
    refused = bench("import-scores", file, "--results", tmp_path / "none")
    assert (refused.returncode, "no column method and score" in refused.stderr) == (2, True)
