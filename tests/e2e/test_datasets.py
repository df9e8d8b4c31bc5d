"""Datasets beside GenImage: found below ``--data`` if a test names them or they have a folder of their own."""

import json

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
