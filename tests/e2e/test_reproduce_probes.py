"""Experiments of probes, galleries and time: run once, then read from the store and the results folder."""

import csv
import json

import pytest

from tests.e2e.conftest import bench


def reproduce(world, name, *words):
    """Run an experiment on the images of the tests; returns the finished process."""
    home = world.root / "probed"
    places = ("--data", world.data, "--store", home / "store", "--results", home / name)
    return bench("reproduce", name, "--limit-test", "3", "--device", "cpu", *places, *words)


def counts(world, name):
    run = json.loads((world.root / "probed" / name / "run.json").read_text())
    return [run[count] for count in ("forwards", "fits_trained", "artefacts_made")]


@pytest.mark.parametrize(
    ("name", "files", "rows"),
    [
        ("sare-figure2", ["sare-figure2-raw.png", "sare-figure2-aligned.svg"], 2 * (2 + 1)),
        ("sare-figure1", ["sare-figure1-raw.png", "sare-figure1-aligned.png"], 2 * 2 * 2),
        pytest.param("lare2-figure1c", ["lare2-figure1c.png"], 3, marks=pytest.mark.slow),
    ],
)
def test_an_experiment_is_run_and_then_read(world, name, files, rows):
    done = reproduce(world, name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# ")
    folder = world.root / "probed" / name / "reproduced"
    assert all((folder / file).stat().st_size > 0 for file in files)
    assert (folder / f"{name}.md").read_text().strip() == done.stdout.strip()
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == rows
    before = (folder / f"{name}.csv").read_bytes()
    again = reproduce(world, name, "--json")
    assert len(json.loads(again.stdout)) == rows
    assert counts(world, name) == [0, 0, 0]
    assert (folder / f"{name}.csv").read_bytes() == before
    assert bench("verify", "--results", folder.parent).returncode == 0


def test_generators_that_the_data_lack_are_named(world, tmp_path):
    places = ("--data", world.data, "--store", tmp_path / "store", "--results", tmp_path / "results")
    done = bench("reproduce", "semgir-table3", "--limit-test", "2", "--device", "cpu", *places)
    assert done.returncode == 2
    assert "None of genimage:sdv15, genimage:midjourney" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_methods_mean_probes_alone_and_never_nothing(world):
    """``--methods none`` measures the suite's probes; without these there would be nothing to do."""
    nothing = world.run("--methods", "none", "--no-probes", name="nothing")
    assert (nothing.returncode, "leaves nothing to do" in nothing.stderr) == (2, True)
    alone = bench("plan", "--methods", "none", "--limit-test", "2", "--store", world.root / "none-store", "--json")
    planned = json.loads(alone.stdout)
    assert planned["fits"] == []
    assert {job["engine"] for job in planned["artefacts"]} >= {"lpips", "sd_img2img"}
