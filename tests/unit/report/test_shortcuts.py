"""A setting that a fact of the files solves says so in its table and its section; one that it does not is silent."""

import pytest

from bench.report import leaderboard, shortcuts, tables
from bench.report.board import Board
from bench.results.folder import Results
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def board():
    return Board(Results(ROOT / "results" / "board" / "mini"))


def of(board, train_protocol, protocol, dataset="genimage"):
    return next(
        s
        for s in board.settings
        if (s.train_protocol, s.protocol, s.dataset, s.perturbation) == (train_protocol, protocol, dataset, "none")
    )


def test_files_as_they_are_are_solved_by_their_container(board):
    setting = of(board, "raw", "raw")
    found = shortcuts.solved(board, setting)
    assert set(found) == {column.subset for column in board.columns_of(setting)}
    assert {baseline for baseline, _ in found.values()} == {"container"}
    assert all(auc >= 0.95 for _, auc in found.values())
    line = shortcuts.line(board, setting)
    assert "container alone has an AUC of at least 90 on all of them" in line
    assert line in tables.markdown(tables.table(board, setting, "acc", "0.5", "ACC"))
    assert line in leaderboard.leaderboard(board)


@pytest.mark.parametrize(
    ("protocols", "dataset"), [(("aligned", "aligned"), "genimage"), (("raw", "raw"), "forensynths")]
)
def test_balanced_files_are_not_called_a_shortcut(board, protocols, dataset):
    setting = of(board, *protocols, dataset)
    assert shortcuts.line(board, setting) == ""
    assert "Shortcut" not in tables.markdown(tables.table(board, setting, "auc", "", "AUC"))


def test_a_low_or_uncertain_baseline_is_no_shortcut(board, monkeypatch):
    setting = of(board, "raw", "raw")
    value = Board.value

    def unsure(self, *words):
        found = value(self, *words)
        return found.__class__(**{**vars(found), "low": 0.4})

    monkeypatch.setattr(Board, "value", unsure)
    assert shortcuts.solved(board, setting) == {}
