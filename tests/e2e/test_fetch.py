"""Fetching, and released weights from a cache of the Hub that others have filled: without a network."""

import hashlib
import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from tests.conftest import ROOT, make_genimage
from tests.e2e.conftest import bench
from tests.unit.test_download import repository


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images, and a cache of the Hub with one network of random weights."""
    import torch
    from torchvision.models import resnet50

    root = tmp_path_factory.mktemp("fetched")
    make_genimage(root / "data", count=4)
    torch.manual_seed(0)
    torch.save({"model": resnet50(num_classes=1).state_dict()}, root / "w.pth")
    content = (root / "w.pth").read_bytes()
    files = {"cnndetect/blur_jpg_prob0.5.pth": (content, hashlib.sha256(content).hexdigest())}
    repository(root / "home" / "hub", files, owner="dkarageo", name="sidbench")
    return root


def offline(place, *words):
    """The command line with the cache in its environment."""
    changed = {"HF_HOME": str(place / "home"), "TORCH_HOME": str(place / "torch"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "run_bench.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=os.environ | changed, capture_output=True, text=True, check=False)


def test_released_weights_of_the_cache_run_without_a_network(place):
    places = ("--data", place / "data", "--store", place / "store", "--results", place / "results")
    done = offline(place, "run", "--checkpoint", "cnnspot=hub", *places, "--models", "mini", "--no-figures")
    assert done.returncode == 0, done.stderr
    assert "cnnspot: trained on ProGAN (ForenSynths), blur and JPEG with probability 0.5" in done.stderr
    digest = hashlib.sha256((place / "w.pth").read_bytes()).hexdigest()
    card = json.loads((place / "results" / "methods.json").read_text())["cnnspot"]
    assert card["released"] == {"file": "blur_jpg_prob0.5.pth", "sha256": digest}
    assert set(pd.read_csv(place / "results" / "summary.csv")["train"]) == {"released"}


def test_all_released_names_everything_that_it_lacks(place):
    places = ("--data", place / "data", "--store", place / "store", "--results", place / "none")
    done = offline(place, "run", "--methods", "all-released,-lgrad", *places)
    assert done.returncode == 1  # Nothing is wrong with the command: the network is not there.
    assert "drct is left out: a program cannot download it" in done.stderr
    assert "defake is left out" in done.stderr
    for name in ("gramnet/Gram.pth", "fusing/PSM.pth", "dire/lsun_adm.pth", "fc_weights.pth"):
        assert name in done.stderr
    assert "lgrad" not in done.stderr  # It was left out.
    assert "Traceback" not in done.stderr
    assert not (place / "none").exists()


def test_fetch_shows_first_and_goes_on_after_what_it_cannot_have(place):
    done = offline(place, "fetch", "chameleon", "cnnspot", "--data", place / "sets")
    assert done.returncode == 1
    assert "CC BY-NC-SA 4.0" in done.stdout
    assert f"--checkpoint 'cnnspot={place}" in done.stdout
    assert "1 of 2 could not be fetched" in done.stderr
    assert f"{place / 'sets'}/Chameleon/test" in done.stderr
    assert "by hand" in done.stdout
    shown = bench("fetch", "genimage", "sdv1", "lgrad", "--dry-run")
    assert (shown.returncode, "635 GB" in shown.stdout, "CreativeML OpenRAIL-M" in shown.stdout) == (0, True, True)
    wrong = bench("fetch", "genimag")
    assert (wrong.returncode, "Did you mean 'genimage'?" in wrong.stderr) == (2, True)


def test_the_list_of_released_weights_and_a_copy_beside_what_was_published(place):
    listed = bench("list", "released")
    assert (listed.returncode, "lgrad_1class" in listed.stdout) == (0, True)
    lines = json.loads(bench("check", "--data", place / "data", "--json").stdout)
    told = [line["state"] for line in lines if line["thing"] == "genimage as published"]
    assert "sdv14 train fakes: 4 images, of 162000 published" in told
