"""``--null``: photographs in both classes, from any folder of photographs."""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.e2e.conftest import bench


@pytest.fixture
def photographs(tmp_path):
    folder, rng = tmp_path / "photographs", np.random.default_rng(0)
    folder.mkdir()
    for number in range(90):
        rgb = np.kron(rng.integers(0, 256, (8, 10, 3), dtype=np.uint8), np.ones((10, 10, 1), np.uint8))
        Image.fromarray(rgb).save(folder / f"{number}.jpg", quality=96)
    return folder


def test_what_differs_in_the_files_is_found_raw_and_not_aligned(photographs, tmp_path):
    places = ("--data", photographs, "--store", tmp_path / "store", "--results", tmp_path / "results")
    done = bench("--null", "framing", "--methods", "container,image_size,jpeg_quality", *places)
    assert done.returncode == 0, done.stderr
    assert "90 of 90 photographs" in done.stderr
    with (tmp_path / "results" / "rows.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "auc" and row["subset"] == "null_framing"]
    aucs = {(row["method"], row["train_protocol"], row["protocol"]): float(row["value"]) for row in rows}
    assert {method for method, _, _ in aucs} == {"container", "image_size", "jpeg_quality"}
    assert {value for (_, _, protocol), value in aucs.items() if protocol == "raw"} == {1.0}
    assert {value for (_, _, protocol), value in aucs.items() if protocol == "aligned"} == {0.5}
    assert bench("verify", "--results", tmp_path / "results").returncode == 0


def test_of_a_dataset_with_both_classes_the_reals_are_used(photographs, tmp_path):
    home = tmp_path / "data" / "sdv14" / "train"
    for kind, shift in (("nature", 0), ("ai", 90)):
        (home / kind).mkdir(parents=True)
        for path in photographs.iterdir():
            (home / kind / f"{int(path.stem) + shift}.jpg").write_bytes(path.read_bytes())
    places = ("--data", tmp_path / "data", "--store", tmp_path / "store")
    done = bench("plan", "--null", "codec", "--methods", "container", *places)
    assert done.returncode == 0, done.stderr
    assert "90 of 90 photographs" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--null", "frame"), "There is no kind of null 'frame'."),
        (("--null", "framing", "--train", "sdv14"), "--null cannot be combined with --train or --test."),
        (("--null", "framing", "--data", "nowhere"), "--null needs at least 80 photographs"),
    ],
)
def test_what_cannot_be_is_one_message(words, told, tmp_path):
    done = bench(*words, "--methods", "container", "--store", tmp_path / "store")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_protocols_that_take_a_score_apart(world):
    """Fits under each of them, and raw fits that are tested under each; file facts are those that a protocol leaves."""
    protocols = "raw,harmonised,codec_match,codec_both,codec_fakes_only"
    done = world.run("--methods", "gramnet,container,image_size", "--protocols", protocols, name="apart")
    assert done.returncode == 0, done.stderr
    assert "`codec_match`: fakes have the JPEG coding of photographs" in done.stdout
    found = pd.read_csv(world.root / "apart" / "results" / "summary.csv", keep_default_na=False)
    found = found[(found["metric"] == "auc") & (found["subset"] == "sdv14")]
    assert len(found[found["method"] == "gramnet"]) == 9  # Raw to all five, and four to themselves.
    auc = found[found["method"] == "container"].set_index(["train_protocol", "protocol"])["value"]
    assert auc["raw", "raw"] == 1
    assert auc["raw", "harmonised"] == auc["harmonised", "harmonised"] == 1  # The history is left.
    assert {value for (_, tested), value in auc.items() if tested.startswith("codec")} == {0.5}
    size = found[found["method"] == "image_size"].set_index(["train_protocol", "protocol"])["value"]
    assert size["harmonised", "harmonised"] == 0.5
    assert size["codec_both", "codec_both"] == size["raw", "raw"] != 0.5
