from dataclasses import replace

import pytest

from bench.report.board import Board
from bench.report.gates import gates
from bench.results import derived
from bench.results.folder import Column, Entry, Matrix, Results
from tests.unit.results.test_measure import scores

SUBSETS = (("sdv14", "source"), ("adm", "out"), ("biggan", "out"))
PLACE = {"variant": "", "train_protocol": "aligned", "seed": 0, "task": "detect", "dataset": "genimage"}
PLACE |= {"role": "test", "protocol": "aligned", "perturbation": "none"}


def folder(root, skills, train="sdv14", subsets=SUBSETS):
    """Results of methods whose scores lie ``skill`` apart: very apart is an AUC of 1, zero one of exactly a half."""
    results, entries, number = Results(root), [], 0
    for method, skill in skills.items():
        for subset, relation in subsets:
            number += 1
            name = f"scores/{number}.parquet"
            given = scores(number, shift=skill)
            if not skill:
                given = replace(given, logit=(0.0,) * len(given.logit))  # A fact that both classes share.
            results.write_scores(root / name, given, str(number))
            place = {"method": method, "subset": subset, "relation": relation, "train": train}
            entries.append(Entry(fit=f"{number:032x}", key=str(number), scores=name, **place, **PLACE))
    columns = tuple(Column("genimage", subset, subset.upper()) for subset, _ in subsets)
    results.write_matrix(Matrix(tuple(entries), columns, "suite"))
    kinds = {m: "statistic" if m in ("container", "hf_energy") else "detector" for m in skills}
    results.write_json(results.cards, {m: {"kind": kind, "title": m} for m, kind in kinds.items()})
    derived.write(results)
    return results


def verdicts(tmp_path, skills, own_skill=9.0, **others):
    results = folder(tmp_path / "board", skills)
    own = folder(tmp_path / "own", {"gramnet": own_skill} | others, "adm", (("adm", "source"),))
    return results, {gate.requirement: gate for gate in gates(results, own)}


def test_an_informative_world_meets_every_gate(tmp_path):
    _, found = verdicts(tmp_path, {"good": 1.5, "poor": 0.3, "container": 0.0, "hf_energy": 0.3})
    assert [gate.requirement for gate in found.values() if not gate.met] == []
    assert len(found) == 7


@pytest.mark.parametrize(
    ("change", "own", "broken"),
    [
        ({"container": 9.0}, 9.0, "container"),
        ({"hf_energy": 2.0}, 9.0, "hf_energy"),
        ({"good": 9.0}, 9.0, "≥ 0.99"),
        ({"poor": 1.5}, 9.0, "best minus worst"),
        ({}, 0.5, "own images"),
        ({"good": 0.9, "poor": 0.0}, 9.0, "on the training generator"),
    ],
)
def test_each_gate_can_fail_and_only_it(tmp_path, change, own, broken):
    base = {"good": 1.5, "poor": 0.3, "container": 0.0, "hf_energy": 0.3}
    _, found = verdicts(tmp_path, base | change, own)
    assert [broken in gate.requirement for gate in found.values() if not gate.met] == [True]


def test_one_cnn_of_two_that_finds_the_signal_is_enough(tmp_path):
    _, found = verdicts(tmp_path, {"good": 1.5, "poor": 0.3, "container": 0.0, "hf_energy": 0.3}, 0.5, lnp=9.0)
    gate = next(gate for asked, gate in found.items() if "own images" in asked)
    weak = Board(Results(tmp_path / "own")).summary
    same = (weak["method"] == "gramnet") & (weak["subset"] == "adm") & (weak["metric"] == "auc")
    (value,) = weak.loc[same, "value"]
    assert (gate.measured, gate.met) == (f"lnp 1.000, gramnet {value:.3f}", True)


def test_detectors_that_guess_outside_the_family_fail_a_gate(tmp_path):
    _, found = verdicts(tmp_path, {"good": 1.5, "poor": -0.3, "bad": -0.4, "container": 0.0, "hf_energy": 0.3})
    gate = next(gate for asked, gate in found.items() if "no chance" in asked)
    assert (gate.measured, gate.met) == ("1 of 3", False)


def test_the_measured_numbers_are_those_of_the_rows(tmp_path):
    results, found = verdicts(tmp_path, {"good": 1.5, "poor": 0.3, "container": 0.0, "hf_energy": 0.3})
    table = Board(results).summary
    value = table[table["metric"] == "auc"].set_index(["method", "subset"])["value"]
    gate = next(gate for asked, gate in found.items() if "hf_energy" in asked)
    assert gate.measured == f"{value['hf_energy', 'mean:all']:.3f}"
    spread = next(gate for asked, gate in found.items() if "best minus worst" in asked)
    assert spread.measured.startswith(f"good − poor: {value['good', 'mean:out'] - value['poor', 'mean:out']:.3f} [")


def test_a_missing_cell_fails_its_gate(tmp_path):
    results, _ = verdicts(tmp_path, {"good": 1.5, "poor": 0.3, "container": 0.0, "hf_energy": 0.3})
    matrix = results.read_matrix()
    broken = [replace(e, status="failed", reason="x") if e.method == "container" else e for e in matrix.entries]
    results.write_matrix(replace(matrix, entries=tuple(broken)))
    derived.write(results)
    found = {gate.requirement: gate for gate in gates(results, Results(tmp_path / "own"))}
    gate = next(gate for asked, gate in found.items() if "container" in asked)
    assert (gate.measured, gate.met) == ("missing", False)


def test_methods_that_share_a_title_are_kept_apart(tmp_path):
    """As a plugin that was copied from a built-in method and keeps its title."""
    from bench.report.write import write_report

    results = folder(tmp_path / "board", {"good": 1.5, "copy": 0.3})
    results.write_json(results.cards, {m: {"kind": "detector", "title": "Good"} for m in ("good", "copy")})
    text = write_report(results).leaderboard
    assert "Good (good)" in text
    assert "Good (copy)" in text
