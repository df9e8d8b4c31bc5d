"""What is committed under results/ is whole, consistent, and what its own per-image scores say."""

import csv
import io
import json
import shutil

import pytest

from bench.cli import inspect
from bench.metrics.classification import METRICS
from bench.report.board import Board
from bench.report.gates import write_gates
from bench.report.leaderboard import leaderboard
from bench.report.papers import averages, provenance
from bench.report.publish import digests
from bench.results import budgets, nulls
from bench.results.folder import Results, read_text
from tests.conftest import ROOT

BOARDS = sorted(path.parent for path in (ROOT / "results" / "board").glob("*/rows.csv.xz"))
if not BOARDS:
    pytest.skip("no board is committed yet (make board)", allow_module_level=True)


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_no_file_was_changed_since_it_was_published(board):
    assert json.loads((board / "digests.json").read_text()) == digests(board)


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_rows_are_unique_numbers(board):
    lines = list(csv.DictReader(io.StringIO(read_text(board / "rows.csv"), newline="")))
    keys = [tuple(v for k, v in line.items() if k not in ("value", "low", "high")) for line in lines]
    assert len(set(keys)) == len(keys) > 0
    values = [(line["metric"], float(line["value"])) for line in lines if line["value"]]
    assert all(0 <= value <= (1 if METRICS[metric].share else 100) for metric, value in values)
    assert all(line["reason"] for line in lines if not line["value"])


@pytest.mark.parametrize(
    "board",
    [pytest.param(path, id=path.name, marks=[] if path.name == "own" else [pytest.mark.slow]) for path in BOARDS],
)
def test_every_number_follows_from_the_committed_scores(board):
    count, differences = inspect.verify(Results(board))
    assert count > 0
    assert differences == []


def test_the_leaderboard_is_the_boards():
    results = Results(ROOT / "results" / "board" / "mini")
    assert (
        ROOT / "leaderboard.md"
    ).read_text() == f"{leaderboard(Board(results))}\n{averages()}\n{provenance(results)}"


def test_the_gates_are_what_the_two_boards_say(tmp_path):
    boards = ROOT / "results" / "board"
    copy = shutil.copytree(boards / "mini", tmp_path / "mini", ignore=shutil.ignore_patterns("figures", "tables"))
    write_gates(Results(copy), Results(boards / "own"))
    for name in ("gates.md", "gates.csv"):
        assert (copy / "tables" / name).read_text() == (boards / "mini" / "tables" / name).read_text()


def test_what_stands_beside_the_board_is_what_its_folders_say(tmp_path):
    """``nulls.csv`` and ``budgets.csv``, which ``verify`` takes as they are."""
    boards = ROOT / "results" / "board"
    mini, plateau = Results(boards / "mini"), Results(boards / "plateau")
    kinds = {path.name.removeprefix("null-"): Results(path) for path in sorted(boards.glob("null-*"))}
    assert (mini.nulls.exists(), mini.budgets.exists()) == (bool(kinds), plateau.root.exists())
    if kinds:
        nulls.write(kinds, tmp_path / "nulls.csv")
        assert (tmp_path / "nulls.csv").read_text() == mini.nulls.read_text()
    if plateau.root.exists():
        budgets.write(mini, plateau, tmp_path / "budgets.csv")
        assert (tmp_path / "budgets.csv").read_text() == mini.budgets.read_text()
