"""A published folder says what the folder it came from says, and can be verified from what is committed alone."""

import json
from dataclasses import replace

import pytest

from bench.cli import inspect
from bench.errors import UserError
from bench.report import publish as publishing
from bench.report.publish import digests, main, publish
from bench.report.write import write_report
from bench.results.folder import Results
from bench.results.packed import rounded
from tests.conftest import ROOT
from tests.golden.test_report import fill
from tests.unit.report.folders import stand_in


def test_a_published_folder_has_the_same_report_and_verifies(tmp_path, monkeypatch):
    monkeypatch.setattr(publishing, "rounded", list)  # Else a table's last digit may differ.
    source = fill(tmp_path / "run")
    stand_in(source, "costs", "images", "citations")
    source.run.write_text(json.dumps({"command": ["run_bench.py", "--store", "/somewhere/of/mine/store"]}))
    written = write_report(source)
    text = publish(source, tmp_path / "board", source)
    board = Results(tmp_path / "board")
    assert text == written.leaderboard
    assert "best minus worst detector" in (board.tables / "gates.md").read_text()
    assert not (board.root / "scores").exists()
    assert json.loads(board.run.read_text())["command"] == ["run_bench.py", "--store", "…/store"]
    count, differences = inspect.verify(board)
    assert differences == []
    assert count > 50
    for stem in written.tables:
        assert (board.tables / f"{stem}.md").read_text() == (source.tables / f"{stem}.md").read_text()
    stated = json.loads((board.root / "digests.json").read_text())
    assert stated == digests(board.root)
    (board.root / "rows.csv.xz").write_bytes(b"x")
    assert stated != digests(board.root)


def test_a_published_folder_that_is_measured_again_stays_as_it_is(tmp_path):
    """The run on each subset's own images, as committed; ``publish again`` does so."""
    committed = ROOT / "results" / "board" / "own"
    publish(Results(committed), tmp_path / "again", figures=False)
    assert digests(tmp_path / "again") == digests(committed)


def test_what_is_published_is_measured_from_rounded_logits(tmp_path):
    source = fill(tmp_path / "run")
    stand_in(source, "costs", "images", "citations", "run")
    publish(source, tmp_path / "board")
    board = Results(tmp_path / "board")
    files = [entry.scores for entry in board.read_matrix().entries if entry.scores]
    assert files
    for file in files:
        given, published = (results.table(file)["logit"] for results in (source, board))
        assert published == rounded(given)
        assert given != published
    assert inspect.verify(board)[1] == []


def test_a_folder_with_a_failed_cell_is_not_published(tmp_path):
    source = fill(tmp_path / "run")
    matrix = source.read_matrix()
    broken = replace(matrix.entries[0], status="failed", reason="out of memory", scores="")
    source.write_matrix(replace(matrix, entries=(broken, *matrix.entries[1:])))
    with pytest.raises(UserError, match="cannot be published") as caught:
        publish(source, tmp_path / "board")
    assert "out of memory" in caught.value.context
    assert not (tmp_path / "board").exists()


def test_runs_are_published_beside_what_was_published_before(tmp_path, monkeypatch):
    """A later run of one suite needs no other run: what has none here stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["publish"])
    monkeypatch.setattr(publishing, "write_report", lambda results, figures: write_report(results, False))
    with pytest.raises(UserError, match="no run of the suite board and own"):
        main()
    for name in ("board", "own"):
        made = fill(tmp_path / "results" / "runs" / name)
        stand_in(made, "costs", "images", "citations", "run")
    main()
    first = digests(tmp_path / "results" / "board" / "mini")
    (tmp_path / "results" / "runs").rename(tmp_path / "elsewhere")
    null = fill(tmp_path / "results" / "runs" / "nulls-null-same")
    stand_in(null, "costs", "images", "citations", "run")
    main()
    again = digests(tmp_path / "results" / "board" / "mini")
    assert {name for name in again if again[name] != first.get(name)} >= {"nulls.csv", "tables/nulls.md"}
    assert again["rows.csv.xz"] == first["rows.csv.xz"]
    assert again["scores.parquet"] == first["scores.parquet"]
    assert (tmp_path / "leaderboard.md").read_text().startswith("# Leaderboard")
