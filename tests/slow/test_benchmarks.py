"""Benchmarks of networks and the script for a GPU, as small as they get."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT, figures_of


@pytest.mark.parametrize(
    ("name", "words", "figures"),
    [
        ("reconstruct", ("--images", "3", "--repeats", "1"), ("images_per_s", "vs_pipeline_one", "forward_share")),
        ("feature_cost", ("--images", "2", "--repeats", "1"), ("dire_seconds", "lare2_flops", "dire_over_lare2")),
    ],
)
def test_a_benchmark_prints_its_figures(tmp_path, name, words, figures):
    found = figures_of(name, tmp_path, *words)
    assert all(found[figure] > 0 for figure in figures)
    if name == "reconstruct":
        assert found["max_abs_difference"] <= 2


def test_batches_and_precision_change_last_bits_alone(tmp_path):
    found = figures_of("numerics", tmp_path, "--images", "2")
    assert found["blip"]["same_in_2"] == found["sd_img2img"]["same_in_2"] == 2
    assert all(0 < row["fp16"] < row["bf16"] < 1 for row in found.values() if "bf16" in row)


def test_the_script_for_a_gpu_runs_at_tiny_sizes(tmp_path):
    out = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--seconds", "30", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert [letter for letter in "ABCDEFGH" if "error" in document[letter]] == []
    assert document["H"]["made"] == document["H"]["wanted"] == 20
