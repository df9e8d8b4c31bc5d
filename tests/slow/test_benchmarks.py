"""Benchmarks of networks and the script for a GPU, as small as they get."""

import csv
import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT, figures_of

FEW = ("--methods", "image_size", "--limit-train", "4", "--limit-test", "2")
FEW += ("--test", "genimage:sdv14", "--protocols", "raw")
ONE = ("--images", "2", "--repeats", "1", "--models", "resnet50")
TINY = ("--tiny", "--images", "4", "--batch", "2", "--repeats", "1")


@pytest.mark.parametrize(
    ("name", "words", "figures"),
    [
        ("store", ("--records", "3000"), ("open_s", "lookups_per_s", "resident_mb", "append_vs_files")),
        ("planning", ("--images", "3000"), ("seconds", "peak_mb", "artefacts")),
        ("score", ONE, ("resnet50_1_vs_plain", "resnet50_2_vs_plain")),
        ("processes", ("--pairs", "1", *FEW), ("median_ratio",)),
        ("reconstruct", ("--images", "3", "--repeats", "1"), ("images_per_s", "vs_pipeline_one", "forward_share")),
        ("resampling", ("--scores", "2000"), ("seconds", "peak_mb", "scikit_learn_over_ours")),
        (
            "protocols",
            ("--kinds", "codec", "--subsets", "biggan", "--photographs", "80", "--protocols", "aligned"),
            ("null: codec aligned", "biggan aligned"),
        ),
        ("coverage", ("--repeats", "20"), ("worst_wilson_delong",)),
        (
            "train",
            ("--tiny", "--images", "4", "--batch", "2", "--repeats", "1"),
            ("resnet50_vs_plain", "convnext_b_vs_memory"),
        ),
        (
            "ray_scaling",
            ("--workers", "2", "--speed", "100", "--limit", "10"),
            ("artefacts_efficiency", "efficiency_2"),
        ),
        ("feature_cost", ("--images", "2", "--repeats", "1"), ("dire_seconds", "lare2_flops", "dire_over_lare2")),
    ],
)
def test_a_benchmark_prints_its_figures(tmp_path, name, words, figures):
    found = figures_of(name, tmp_path, *words)
    assert all(found[figure] > 0 for figure in figures)
    if name == "reconstruct":
        assert found["max_abs_difference"] <= 2


def test_the_cost_of_genimage_is_that_of_its_forwards(tmp_path):
    found = figures_of("genimage_cost", tmp_path)
    per_image = {name: row["forwards"] / row["artefacts"] for name, row in found.items()}
    assert (per_image["lare2"], per_image["dire"], per_image["dire[adm]"]) == (5, 42, 40)
    assert found["lare2"]["artefacts"] == pytest.approx(424_000, rel=0.01)
    assert found["drct"]["artefacts"] == pytest.approx(0.9 * 324_000, rel=0.01)
    # Fifty forwards of 0.8 TFLOP at 512 x 512, SD v1's UNet; most photographs are smaller, a few much larger.
    assert 35 < found["drct"]["flop"] / found["drct"]["artefacts"] / 1e12 < 45


def test_batches_and_precision_change_last_bits_alone(tmp_path):
    found = figures_of("numerics", tmp_path, "--images", "2")
    assert found["blip"]["same_in_2"] == found["sd_img2img"]["same_in_2"] == 2
    assert all(0 < row["fp16"] < row["bf16"] < 1 for row in found.values() if "bf16" in row)


def test_maps_in_the_images_container_leak_it(tmp_path):
    found = figures_of("container_leak", tmp_path, "--store", tmp_path / "store", "--results", tmp_path / "results")
    assert found["flipped"] > 3 * found["flipped_clean"]


def test_the_script_for_a_gpu_runs_at_tiny_sizes(tmp_path):
    out = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--seconds", "30", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert [letter for letter in "ABCDEFGH" if "error" in document[letter]] == []
    assert document["H"]["made"] == document["H"]["wanted"] == 20


def test_the_drift_of_scores_is_measured_with_the_fits_of_a_run(tmp_path):
    places = (
        "--store",
        str(tmp_path / "store"),
        "--results",
        str(tmp_path / "results"),
        "--csv",
        str(tmp_path / "a.csv"),
    )
    suite = tmp_path / "few.toml"
    suite.write_text('extends = "mini"\nname = "few"\nlimit_train = 20\nlimit_test = 10\n')
    words = ("--methods", "gramnet,dire", "--precisions", "bf16", "--test", "genimage:sdv14", "--suite", str(suite))
    command = [sys.executable, "-m", "benchmarks.drift", *words, *places]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [(row["method"], row["precision"]) for row in rows] == [("gramnet", "bf16"), ("dire", "bf16")]
    assert all(0 < float(row["drift"]) < 50 for row in rows)
    assert all(int(row["images"]) > 10 for row in rows)


def test_learning_rates_are_compared_on_validation_images(tmp_path):
    places = (
        "--store",
        str(tmp_path / "store"),
        "--results",
        str(tmp_path / "results"),
        "--csv",
        str(tmp_path / "a.csv"),
    )
    command = [sys.executable, "-m", "tools.tuning", "--methods", "defake", "--base", "mini", *places]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [(row["method"], row["images"]) for row in rows] == [("defake", rows[0]["images"])] * 3
    assert sorted(row["lowest"] for row in rows) == ["False", "False", "True"]
