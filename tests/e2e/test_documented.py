"""Commands of the pages that nothing else runs, on as little as they take."""

import json
import os
import subprocess
import sys

from tests.conftest import ROOT
from tests.e2e.conftest import bench


def module(*words, **environment):
    command = [sys.executable, "-m", *map(str, words)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_mutants_of_one_part_are_drawn_and_killed(tmp_path):
    out = module("tools.mutants", "--count", 2, "--only", "metrics", "--least", 0, "--json", tmp_path / "a")
    assert "killed" in out
    assert len(json.loads((tmp_path / "a").read_text())) == 2


def test_the_boards_plan_and_the_papers_check(world, tmp_path):
    """The first line of `make board`, and the first command of docs/paper-settings.md."""
    places = ("--store", tmp_path / "store", "--results", tmp_path / "results")
    planned = bench("plan", "--suite", "board", "--methods", "container", *places)
    assert planned.returncode == 0, planned.stderr
    assert "cells:" in planned.stdout
    own = ("--data", world.data, "--models", tmp_path, "--store", tmp_path / "store", "--json")
    checked = bench("check", "--suite", "paper", *own)
    assert checked.returncode == 0, checked.stderr
    fixes = {line["thing"]: line["fix"] for line in json.loads(checked.stdout)}
    assert "CompVis/stable-diffusion-v1-4" in fixes["weights sdv1"]


def test_longer_fuzzing_is_the_same_test():
    """`make fuzz` sets one variable for the fuzz that every run of the tests does."""
    assert "FUZZ_MUTANTS" in (ROOT / "Makefile").read_text()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/data/test_decode_fuzz.py"]
    done = subprocess.run(
        [*command, "-k", "damaged and GIF"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FUZZ_MUTANTS": "300"},
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_check_looks_at_the_weights_that_are_named(tmp_path):
    wrong = bench("check", "--weights", "lpisp=.", "--store", tmp_path)
    assert wrong.returncode == 2
    assert "no model role 'lpisp'" in wrong.stderr
    (tmp_path / "empty").mkdir()
    empty = bench("check", "--weights", f"lpips={tmp_path / 'empty'}", "--store", tmp_path)
    assert empty.returncode == 2
    assert "holds no weights of lpips" in empty.stderr
    (tmp_path / "partial" / "sdv1" / "unet").mkdir(parents=True)
    (tmp_path / "partial" / "sdv1" / "unet" / "config.json").write_text("{}")
    told = json.loads(bench("check", "--models", tmp_path / "partial", "--store", tmp_path, "--json").stdout)
    (sdv1,) = (line for line in told if line["thing"] == "weights sdv1")
    assert "unet/diffusion_pytorch_model.safetensors" in sdv1["state"]
    assert "CompVis/stable-diffusion-v1-4" in sdv1["fix"]


def test_findings_are_those_of_all_experiments():
    """`make -n findings`; tests/slow/test_reproduce.py and tests/unit/tools/test_findings_page.py run its parts."""
    done = subprocess.run(["make", "-n", "findings"], cwd=ROOT, capture_output=True, text=True, check=True)
    runs = [line.split("python ", 1)[1] for line in done.stdout.splitlines() if ".venv/bin/python " in line]
    folder = "results/runs/experiments"
    assert f"run_bench.py reproduce all --results {folder}" in runs[-2]
    assert runs[-1] == f"-m tools.findings_page {folder}"
