"""Cost per image from a results folder alone, the Pareto front, and labels that do not overlap."""

import json
from itertools import combinations

import matplotlib.figure
import numpy as np
import pytest

from bench.planning.estimate import per_image
from bench.planning.request import choose_methods
from bench.report import pareto, samples
from bench.report.board import Board
from bench.report.place import Placed, place
from bench.results import costs
from bench.suites import suite
from tests.unit.report.folders import made

COSTS = """kind,name,units,seconds
artefacts,map,1000,2.0
artefacts,words,100,1.0
machine,fft,1,0.02
score,alpha,50,1.0
score,beta,50,0.5
kind,name,units,seconds
score,alpha,150,1.0
score,gamma,100,0.1
"""
NEEDS = {"alpha": {"map": 20, "words": 1}, "beta": {}, "gamma": {"unheard": 1}, "size": {}}


def priced(root, needs=NEEDS, text=COSTS):
    results = made(root)
    cards = json.loads(results.cards.read_text())
    results.write_json(
        results.cards, {m: c | ({"artefacts": needs[m]} if m in needs else {}) for m, c in cards.items()}
    )
    results.costs.write_text(text.replace("kind,name,units,seconds\nscore,alpha,150", "score,alpha,150"))
    return results


def test_cost_is_scoring_and_artefacts(tmp_path):
    found = costs.compute(priced(tmp_path)).set_index("label")
    assert found.loc["alpha", ["score", "artefacts", "seconds"]].tolist() == pytest.approx([0.01, 0.05, 0.06])
    assert found.loc["alpha", "forwards"] == 21
    assert found.loc["beta", ["score", "artefacts", "seconds"]].tolist() == pytest.approx([0.01, 0.0, 0.01])
    assert found.loc["gamma", "reason"] == "no time of making unheard was recorded"
    assert found.loc["size", "reason"] == "no time of scoring was recorded"


@pytest.mark.parametrize("text", ["", "{}", "kind,name,seconds\nscore,alpha,1.0\n"])
def test_without_costs_there_is_no_figure_and_no_error(tmp_path, text):
    results = priced(tmp_path, text=text)
    assert costs.compute(results)["reason"].ne("").all()
    assert pareto.write_pareto(Board(results), results) == []


def test_cards_of_older_folders_have_no_cost(tmp_path):
    results = priced(tmp_path, needs={})
    assert set(costs.compute(results)["reason"]) == {"its card does not say which artefacts it needs"}
    assert pareto.write_pareto(Board(results), results) == []


def test_the_front_is_what_nothing_beats(tmp_path):
    text = COSTS + "artefacts,unheard,10,0.001\n"
    results = priced(tmp_path, text=text)
    board = Board(results)
    (setting,) = samples.settings(board)
    data = pareto.points(board, setting, costs.compute(results))
    assert set(data["reason"]) == {""}
    for row in data.itertuples():
        beaten = ((data["seconds"] <= row.seconds) & (data["auc"] > row.auc)) | (
            (data["seconds"] < row.seconds) & (data["auc"] >= row.auc)
        )
        assert row.front == (not beaten.any())
    (path,) = pareto.write_pareto(board, results)
    assert path.name == "genimage-sdv14-aligned-to-aligned-cost.png"


def test_labels_cover_neither_each_other_nor_points():
    rng = np.random.default_rng(3)
    figure = matplotlib.figure.Figure(figsize=(5, 4), layout="constrained")
    axis = figure.subplots()
    points = [Placed(f"Detector{i}", *(0.4 + 0.2 * rng.random(2)), np.nan, np.nan) for i in range(12)]
    axis.set(xlim=(0, 1), ylim=(0, 1))
    place(figure, axis, points)
    boxes = [text.get_window_extent() for text in axis.texts]
    assert len(boxes) == 12
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
        beside = min(one.y1, other.y1) > max(one.y0, other.y0)
        gap = max(one.x0, other.x0) - min(one.x1, other.x1)
        assert not beside or gap >= 5.9 * figure.dpi / 72  # Two names on one line do not read as one.
    for point in points:
        x, y = axis.transData.transform((point.x, point.y))
        assert not any(box.contains(x, y) for box in boxes)


def test_cards_say_what_an_image_needs():
    """DIRE's inversion and reconstruction; a detector of the image alone needs nothing."""
    chosen = {c.label: per_image(c.method) for c in choose_methods("cnnspot,dire,defake,semgir", suite.load("board"))}
    assert chosen["cnnspot"] == {}
    assert chosen["dire"] == {"ddim_inversion": chosen["dire"]["ddim_inversion"]}
    assert chosen["dire"]["ddim_inversion"] > 10
    assert "blip" in chosen["defake"]
    assert chosen["semgir"]["blip"] == 1
