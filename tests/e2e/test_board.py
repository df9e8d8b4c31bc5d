"""``board add``: a folder that was verified joins a board; one that was changed does not."""

import json
import shutil

from tests.e2e.conftest import bench


def test_results_join_a_board_if_their_scores_bear_them_out(world, first, tmp_path):
    board, given = (shutil.copytree(world.root / "a" / "results", tmp_path / name) for name in ("board", "given"))
    done = bench("board", "add", given, "--name", "A lab", "--link", "https://example.org/x", "--board", board)
    assert done.returncode == 0, done.stderr
    assert "[A lab](https://example.org/x)" in done.stdout
    assert "added " in done.stdout.splitlines()[-1]
    assert "of its fits are the board's own" in done.stderr
    assert list((board / "figures").glob("*.png"))  # They show the board's own detectors, and stay.
    assert bench("verify", "--results", board).returncode == 0
    told = bench("board", "add", given, "--name", "B", "--board", board, "--json")
    assert {"dire", "gramnet"} <= set(json.loads(told.stdout)["methods"])
    for words in (("--name", "a|b"), ("--name", "D", "--link", "javascript:alert(1)")):
        assert bench("board", "add", given, *words, "--board", board).returncode == 2

    summary = given / "summary.csv"
    summary.write_text(summary.read_text().replace(",dire,", ",gramnet,", 1))
    refused = bench("board", "add", given, "--name", "C", "--board", board)
    assert (refused.returncode, "cannot be added" in refused.stderr) == (2, True)
    assert "C" not in {line.split(",")[-3] for line in (board / "submitted.csv").read_text().splitlines()}
