"""Detectors against trivial baselines: the baseline that is hardest to beat, by the comparisons of pairs."""

import json

import numpy as np
import pytest

from bench.report.board import Board
from bench.report.trivial import line, write_trivial
from bench.report.write import write_report
from bench.results import derived, trivial
from bench.results.comparisons import Side, between
from bench.results.measure import measure
from tests.unit.report.folders import stand_in
from tests.unit.results.test_summary import THREE, folder

SKILLS = THREE | {"energy": (0.5, 0.5, 0.5), "lone": (2.0,)}


def made(root, skills=SKILLS):
    results = folder(root, skills)
    cards = json.loads(results.cards.read_text())
    if "energy" in cards:
        cards["energy"]["kind"] = "statistic"
    results.write_json(results.cards, cards)
    return results


@pytest.fixture
def results(tmp_path):
    return made(tmp_path)


def test_a_detector_meets_the_baseline_that_it_is_least_surely_better_than(results):
    found = measure(results).trivial.set_index("detector")
    assert found.index.tolist() == ["fair", "good", "poor"]
    for name in found.index:
        pairs = {
            baseline: between(Side(results, name), Side(results, baseline), (name, baseline)).set_index("subset")
            for baseline in ("container", "energy")
        }
        outside = {baseline: pair.loc["mean:out"] for baseline, pair in pairs.items()}
        p = {baseline: row["p"] if row["effect"] > 0 else 1.0 for baseline, row in outside.items()}
        row = found.loc[name]
        assert row["baseline"] == max(p, key=lambda baseline: (p[baseline], -outside[baseline]["effect"]))
        assert row["p"] == pytest.approx(max(p.values()))
        expected = outside[row["baseline"]][["effect", "low", "high"]].astype(float)
        assert row[["effect", "low", "high"]].tolist() == pytest.approx(expected.tolist())
    assert found.loc["poor", "p"] == found.loc["poor", "p_holm"] == 1
    ordered = found.sort_values("p")
    stepwise = np.minimum(np.maximum.accumulate(ordered["p"] * [3, 2, 1]), 1)
    assert ordered["p_holm"].tolist() == pytest.approx(stepwise.tolist())


def test_the_report_says_who_is_better(results):
    derived.write(results)
    stand_in(results, "run")
    board = Board(results)
    (setting,) = board.settings
    told = line(board, setting)
    assert told == "Significantly better than every trivial baseline: 2 of 3 (good, fair)."
    assert told in write_report(results, figures=False).leaderboard
    text = (results.tables / "trivial.md").read_text()
    assert [row.split("|")[1].strip() for row in text.splitlines() if "energy" in row] == ["good", "fair", "poor"]


def test_none_is_said_too(tmp_path):
    results = made(tmp_path, {"poor": THREE["poor"], "good": THREE["poor"], "container": (2.0, 2.0, 2.0)})
    derived.write(results)
    board = Board(results)
    assert line(board, board.settings[0]) == "Significantly better than every trivial baseline: none of 2."


def test_without_a_baseline_there_is_no_table_and_one_from_before_goes(tmp_path):
    results = made(tmp_path)
    derived.write(results)
    assert results.trivial.exists()
    made(tmp_path, {"good": THREE["good"], "fair": THREE["fair"]})
    derived.write(results)
    assert not results.trivial.exists()
    assert trivial.read(results.trivial).empty
    stand_in(results, "run")
    assert write_trivial(Board(results), results) == []
