"""Datasets beside GenImage: found below ``--data`` if a test names them or they have a folder of their own."""

import json

import pandas as pd
from PIL import Image

from tests.conftest import picture
from tests.e2e.conftest import bench


def images(folder, seed, count=12, side=40):
    """Some PNG images."""
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(picture(seed + number, side, side)).save(folder / f"{number}.png")


def test_a_dataset_named_by_a_test_is_planned_beside_the_suites(world):
    home = world.data.parent / "more"
    home.mkdir()
    (home / "genimage").symlink_to(world.data)
    images(home / "diffusion_datasets" / "laion" / "0_real", 70_000)
    images(home / "diffusion_datasets" / "dalle" / "1_fake", 71_000)
    images(home / "synthbuster" / "firefly", 72_000)
    places = ("--suite", world.suite, "--data", home, "--store", world.root / "a" / "store", "--device", "cpu")
    done = bench("plan", "--methods", "container", "--test", "ufd", "--json", *places)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {cell["title"].split(" on ")[-1].split("@")[0] for cell in told["cells"]} == {
        "ufd-dalle-test",
        "genimage-sdv14-val",
    }
    done = bench("plan", "--methods", "container", "--test", "all", "--json", *places)
    told = json.loads(done.stdout)
    assert not any("ufd" in cell["title"] for cell in told["cells"])  # Nothing names UFD here.
    (hole,) = {(h["dataset"], h["subset"], h["reason"]) for h in told["holes"]}
    assert hole[:2] == ("synthbuster", "firefly")
    assert "real" in hole[2]


def test_perturbations_are_tested_beside_the_unchanged_images(world, tmp_path):
    places = ("--suite", world.suite, "--data", world.data, "--store", world.root / "a" / "store", "--device", "cpu")
    words = ("--methods", "container", "--protocols", "raw", "--test", "genimage:sdv14", "--perturb", "web,noise5")
    done = bench("plan", *words, "--json", *places)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    tested = {cell["title"].split(" on ")[-1] for cell in told["cells"] if "-test@" in cell["title"]}
    assert tested == {f"genimage-sdv14-test@raw{name}" for name in ("", "+web", "+noise5")}
    assert {artefact["engine"] for artefact in told["artefacts"]} == {"perturb"}
    done = bench("run", *words, "--no-figures", *places, "--results", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "results" / "rows.csv", keep_default_na=False)
    rows = rows[(rows["metric"] == "auc") & (rows["subset"] == "sdv14")]
    assert set(rows["perturbation"]) == {"none", "web", "noise5"}
    # After a perturbation both classes are PNG files: the container says nothing any more.
    values = dict(rows[["perturbation", "value"]].to_numpy())
    assert values == {"none": 1.0, "web": 0.5, "noise5": 0.5}
    refused = bench("plan", "--perturb", "rain", *places)
    assert (refused.returncode, "There is no perturbation 'rain'" in refused.stderr) == (2, True)
