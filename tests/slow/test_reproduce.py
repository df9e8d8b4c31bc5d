"""An experiment in the miniature, with few images: measured beside published."""

import csv
import json

from bench.suites import effects
from tests.e2e.conftest import bench


def test_a_table_is_measured_and_then_read_from_the_store(tmp_path):
    places = ("--store", tmp_path / "store", "--results", tmp_path / "results")
    words = ("reproduce", "sare-table6", "--limit-train", "4", "--limit-test", "5", "--device", "cpu", *places)
    done = bench(*words)
    assert done.returncode == 0, done.stderr
    assert "| DRCT + SARE, w = 12.5 |" in done.stdout
    assert "<u>93.15</u>" in done.stdout
    with (tmp_path / "results" / "reproduced" / "sare-table6.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 4 * 2 * 2
    assert all(0 <= float(line["value"]) <= 1 for line in lines)
    assert {line["protocol"] for line in lines} == {"raw", "aligned"}
    again = bench(*words, "--json")
    assert len(json.loads(again.stdout)) == 16
    run = json.loads((tmp_path / "results" / "run.json").read_text())
    assert (run["forwards"], run["fits_trained"], run["suite"]) == (0, 0, "mini-sare-table6")
    assert bench("verify", "--results", tmp_path / "results").returncode == 0


def test_several_experiments_say_what_they_show_of_the_papers_claims(tmp_path):
    places = ("--store", tmp_path / "store", "--results", tmp_path / "results")
    done = bench("reproduce", "sare-figure2,lare2-figure1c", "--limit-test", "20", "--device", "cpu", *places)
    assert done.returncode == 0, done.stderr
    assert "# What these numbers show of the papers' claims" in done.stdout
    with (tmp_path / "results" / "findings.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    known = effects.load()
    assert {line["effect"] for line in lines} == {"dire-of-unseen", "one-step-is-cheap"} <= known.keys()
    assert {line["source"] for line in lines} == {"sare-figure2", "lare2-figure1c"}
    assert all(float(line["low"]) <= float(line["value"]) <= float(line["high"]) for line in lines)
    assert (tmp_path / "results" / "sare-figure2" / "reproduced" / "sare-figure2.md").exists()
