"""Measured beside published, in the paper's layout."""

import math

import pytest

from bench.report import reproduced
from bench.report.board import Board, Setting
from bench.suites import published
from bench.suites.experiment import Experiment
from tests.golden.test_report import fill

EXPERIMENT = Experiment(
    name="toy",
    title="A toy",
    paper="sare",
    table="table1",
    note="A note.",
    every={"train": "sdv14", "metric": "acc"},
    rows={"DRCT": "alpha", "GramNet": "beta", "DIRE": "gamma", "Average": {"mean": True}},
    columns={
        "SDv1.4": "genimage:sdv14",
        "BigGAN": "genimage:biggan",
        "Avg ACC": "genimage:mean:all",
        "MJ": {"missing": "no such images"},
    },
)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    return Board(fill(tmp_path_factory.mktemp("reproduced")))


def made(board, comparable=False, protocols=("raw", "aligned")):
    return [reproduced.reproduced(board, EXPERIMENT, protocol, comparable) for protocol in protocols]


def at(table, row, column):
    return table.cells.set_index(["row", "column"]).loc[(row, column)]


def test_cells_are_those_of_the_results_folder_and_of_the_paper(board):
    (raw,) = made(board, protocols=("raw",))
    cell = at(raw, "DRCT", "BigGAN")
    want = board.value(Setting("sdv14", "raw", "genimage", "raw", "none"), "alpha", "biggan", "acc", "0.5")
    assert (cell["value"], cell["low"], cell["high"]) == (want.value, want.low, want.high)
    assert cell["published"] == str(published.values("sare", "table1")["DRCT", "BigGAN"]) == "79.76"


def test_means_are_those_of_the_cells_above_and_holes_have_reasons(board):
    raw, aligned = made(board)
    column = [at(raw, row, "BigGAN")["value"] for row in ("DRCT", "GramNet", "DIRE")]
    assert at(raw, "Average", "BigGAN")["value"] == pytest.approx(sum(column) / 3)
    assert at(aligned, "GramNet", "BigGAN")["reason"] == "no size that both classes share"
    text = reproduced.markdown([raw, aligned], board.cards)
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- DRCT (MJ); GramNet (MJ); DIRE (MJ): no such images",
        "- Average (MJ): no cell to average",
        "- GramNet (BigGAN): no size that both classes share",
        "- GramNet (Avg ACC): no average without biggan",
    ]


def test_the_best_is_bold_and_the_second_best_underlined(board):
    text = reproduced.markdown(made(board), board.cards)
    published_lines = text[text.index("Published:") :].splitlines()
    drct, gramnet, dire = (
        next(line for line in published_lines if line.startswith(f"| {n}")) for n in ("DRCT", "GramNet", "DIRE")
    )
    assert [cell.strip() for cell in drct.split("|")][2:4] == ["94.75", "**79.76**"]
    assert [cell.strip() for cell in gramnet.split("|")][2:4] == ["<u>96.73</u>", "48.63"]
    assert [cell.strip() for cell in dire.split("|")][2:4] == ["**99.96**", "<u>50.88</u>"]


def test_values_are_subtracted_only_if_they_are_comparable_and_raw(board):
    alone = reproduced.markdown(made(board), board.cards)
    assert "do not subtract" in alone
    assert "Measured − published" not in alone
    raw, aligned = made(board, comparable=True)
    assert (raw.comparable, aligned.comparable) == (True, False)
    cell = at(raw, "DIRE", "SDv1.4")
    found = reproduced.differences(raw).loc[cell.name == raw.cells.set_index(["row", "column"]).index].iloc[0]
    assert found["difference"] == pytest.approx(cell["value"] - 0.9996)
    assert found["low"] == pytest.approx(cell["low"] - 0.9996)
    assert found["within"] == (abs(cell["value"] - 0.9996) <= 0.01)
    cards = {**board.cards, "gamma": {"deviations": ["it has no wings"]}}
    text = reproduced.markdown([raw, aligned], cards)
    assert "Measured − published, raw:" in text
    assert "- `gamma`: it has no wings" in text
    assert "- `alpha`: its card names no deviation from the paper" in text


def test_three_files_are_written(board, tmp_path):
    from bench.results.folder import Results

    results = Results(tmp_path)
    text = reproduced.write(made(board), results, board.cards).text
    folder = tmp_path / "reproduced"
    assert (folder / "toy.md").read_text() == text
    latex = (folder / "toy.tex").read_text()
    assert r"\textbf{99.96}" in latex
    assert "**" not in latex
    assert "<u>" not in latex
    lines = (folder / "toy.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 16
    assert not math.isnan(at(made(board)[0], "DRCT", "SDv1.4")["value"])
