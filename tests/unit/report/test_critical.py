"""Demšar's diagram: the bars, and ranks as ``ranks.csv`` has them."""

import numpy as np
import pytest
from scipy import stats

from bench.report import critical, samples
from bench.report.board import Board
from tests.unit.report.folders import cells_of, made


@pytest.mark.parametrize(
    ("means", "distance", "expected"),
    [
        ([1, 2, 3], 0.5, []),
        ([1, 2, 3], 1.5, [(0, 1), (1, 2)]),
        ([1, 2, 3], 5, [(0, 2)]),
        ([1.0, 1.2, 1.4, 4.0, 4.1], 1.0, [(0, 2), (3, 4)]),
        ([1, 2], 1.0, []),
        ([2, 2], 0.1, [(0, 1)]),
    ],
)
def test_bars_join_what_is_not_told_apart(means, distance, expected):
    assert critical.bars(means, distance) == expected


def test_bars_are_the_maximal_groups():
    """Against all groups of neighbours, by their definition."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        means, distance = sorted(rng.uniform(1, 9, 7)), rng.uniform(0.2, 4)
        runs = {(i, j) for i in range(7) for j in range(i + 1, 7) if means[j] - means[i] < distance}
        longest = [(i, j) for i, j in runs if not any(a <= i and j <= b and (a, b) != (i, j) for a, b in runs)]
        assert critical.bars(means, distance) == sorted(longest)


def test_ranks_are_those_of_the_scores(tmp_path):
    results = made(tmp_path)
    board = Board(results)
    (setting,) = samples.settings(board)
    data = critical.ranks(board, setting).set_index("label")
    areas = []
    for method in data.index:
        areas.append([stats.mannwhitneyu(*_split(cell)).statistic for cell in cells_of(results, method, "out")])
    per_subset = np.asarray(areas).reshape(len(areas), 2, 2).mean(axis=1)  # Seeds are the outer loop of the folder.
    expected = np.mean([stats.rankdata(-column) for column in per_subset.T], axis=0)
    assert data["mean_rank"].tolist() == pytest.approx(expected)
    (path,) = critical.write_critical(board, results)
    assert path.name == "genimage-sdv14-aligned-to-aligned-ranks.png"


def _split(cell):
    logits, labels = (np.asarray(part) for part in cell)
    return logits[labels == 1], logits[labels == 0]


def test_one_seed_has_no_ranks_and_no_figure(tmp_path):
    results = made(tmp_path, seeds=1)
    assert critical.write_critical(Board(results), results) == []
