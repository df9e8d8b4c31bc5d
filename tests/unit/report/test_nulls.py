"""What detectors find where there is no generator: the table, its corrected intervals, the gate and the board's row."""

import numpy as np
import pytest
from scipy import stats

from bench.metrics import seeds
from bench.report.board import Board
from bench.report.gates import gates, setting_of_gates
from bench.report.publish import digests, publish
from bench.report.write import write_report
from bench.results import budgets, nulls, numbers, scored
from bench.results.folder import Results
from tests.unit.report.folders import stand_in
from tests.unit.report.test_gates import folder

SETTING = setting_of_gates("sdv14")
SKILLS = {"good": 1.5, "poor": 0.3, "container": 0.0, "hf_energy": 0.3}


def null(root, kind, skills):
    return folder(root / kind, skills | {"container": 0.0}, f"null_{kind}", ((f"null_{kind}", "source"),))


@pytest.fixture
def board(tmp_path):
    results = folder(tmp_path / "board", SKILLS)
    folders = {
        "framing": null(tmp_path, "framing", {"good": 1.0, "poor": 0.0}),
        "same": null(tmp_path, "same", {"good": 0.0, "poor": 0.0}),
    }
    nulls.write(folders, results.nulls)
    return results, folders


def test_detectors_have_an_interval_corrected_for_all_of_them(board):
    results, folders = board
    found = nulls.read(results.nulls).set_index(["null", "method"])
    assert sorted(found.index) == [(k, m) for k in ("framing", "same") for m in ("good", nulls.MEAN, "poor")]
    (cells,) = scored.by_setting(folders["framing"])
    by_method = {members[0].entry.method: members[0] for members in numbers.of_setting(cells)}
    spread = seeds.spread(by_method["good"].seeds["auc", ""])
    for prefix, tests in (("", 1), ("corrected_", 4)):
        row = found.loc["framing", "good"]
        z = stats.norm.ppf(1 - 0.05 / tests / 2)
        value = row["auc"]
        n = value * (1 - value) / spread.variance
        middle = (value + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
        assert [row[f"{prefix}low"], row[f"{prefix}high"]] == pytest.approx([middle - half, middle + half], abs=1e-6)


def test_the_row_beside_a_protocol_and_the_table_say_what_is_found(board):
    results, _ = board
    text = write_report(results).leaderboard
    found = nulls.read(results.nulls).set_index(["null", "method"])["auc"]
    mean = nulls.read(results.nulls).set_index(["null", "method"]).loc[("framing", nulls.MEAN)]
    middle, low, high, most = (100 * number for number in (*mean[["auc", "low", "high"]], found["framing"].max()))
    assert f"framing {middle:.1f} [{low:.1f}, {high:.1f}], {most:.1f}; same 50.0 [" in text
    assert "Significantly above 50 if corrected for all 4: 1." in text
    table = (results.tables / "nulls.md").read_text()
    assert f"**{100 * found['framing', 'good']:.1f}** [" in table
    assert table.count("**") == 4  # The heading and the one leak.
    assert table.rstrip().splitlines()[-1].startswith(f"| {nulls.MEAN} | {middle:.1f} [")


def test_the_mean_over_detectors_is_of_the_images_that_they_share(board):
    results, folders = board
    row = nulls.read(results.nulls).set_index(["null", "method"]).loc[("framing", nulls.MEAN)]
    (cells,) = scored.by_setting(folders["framing"])
    found = {part[0].entry.method: part[0] for part in numbers.of_setting(cells)}
    drawn = np.mean([found[name].seeds["auc", ""].draws[0] for name in ("good", "poor")], axis=0, dtype=float)
    assert row["auc"] == pytest.approx(np.mean([found[name].values["auc", ""] for name in ("good", "poor")]))
    n = row["auc"] * (1 - row["auc"]) / drawn.var(ddof=1)
    z = stats.norm.ppf(0.975)
    middle = (row["auc"] + z**2 / (2 * n)) / (1 + z**2 / n)
    assert (row["low"] + row["high"]) / 2 == pytest.approx(middle, abs=1e-5)
    assert np.isnan(row["corrected_low"])


def test_a_leak_fails_the_gate_and_chance_does_not(board, tmp_path):
    results, folders = board
    own = folder(tmp_path / "own", {"gramnet": 9.0}, "adm", (("adm", "source"),))

    def gate():
        return next(gate for gate in gates(results, own) if "null generator" in gate.requirement)

    assert (gate().met, gate().measured.startswith("1 above; highest lower end: good on framing, ")) == (False, True)
    nulls.write({"same": folders["same"]}, results.nulls)
    assert gate().met
    nulls.write({}, results.nulls)
    assert not [gate for gate in gates(results, own) if "null generator" in gate.requirement]


def test_nulls_are_published_beside_the_board(board, tmp_path):
    results, folders = board
    results.nulls.unlink()
    for part in (results, *folders.values()):
        stand_in(part, "run", "costs", "images", "citations", "thresholds")
    text = publish(results, tmp_path / "published", nulls=folders)
    published = Results(tmp_path / "published")
    assert "Where there is no generator" in text
    assert len(Board(published).nulls) == 6
    assert digests(published.root)["nulls.csv"]


def test_a_board_shows_what_longer_training_gives(board, tmp_path):
    results, _ = board
    longer = folder(tmp_path / "longer", {"good": 2.0, "poor": 0.3})
    budgets.write(results, longer, results.budgets)
    found = budgets.read(results.budgets).set_index(["method", "subset"])
    mean = {
        name: Board(part).value(SETTING, "good", "mean:out", "auc")
        for name, part in (("now", results), ("longer", longer))
    }
    row = found.loc["good", "mean:out"]
    assert row["plateau"] == mean["longer"].value
    assert row["effect"] == pytest.approx(mean["longer"].value - mean["now"].value, abs=1.1e-6)
    assert row["low"] < row["effect"] < row["high"]
    assert found.loc[("poor", "mean:out"), "effect"] == 0
    text = write_report(results).leaderboard
    assert "AUC out, trained to the plateau" in text
    assert f"| {100 * mean['longer'].value:.1f} [" in text
