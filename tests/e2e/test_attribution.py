"""Generators told apart, few-shot readings and JPEG, as a user runs them."""

import csv
import json

from tests.e2e.conftest import bench


def test_attribution_is_trained_scored_after_jpeg_and_tabled(world):
    suite = world.root / "attribution.toml"
    suite.write_text('perturbations = ["jpeg60"]\n' + world.suite.read_text())
    home = world.root / "attribution"
    places = ("--data", world.data, "--store", home / "store", "--results", home / "results", "--suite", suite)
    asked = ("--train", "attribute:biggan", "--methods", "gramnet,image_size", "--protocols", "raw")
    done = bench("run", *asked, *places, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "Attribution: one generator's images" in done.stdout
    assert "Nothing is ranked here" in done.stdout
    rows = list(csv.DictReader((home / "results" / "rows.csv").open()))
    assert {(r["task"], r["target"], r["dataset"], r["subset"]) for r in rows} == {
        ("attribute", "biggan", "attribution", "biggan")
    }
    assert {r["perturbation"] for r in rows} == {"none", "jpeg60"}
    auc = {(r["method"], r["perturbation"]): float(r["value"]) for r in rows if r["metric"] == "auc"}
    assert auc["image_size", "none"] == auc["image_size", "jpeg60"] == 1.0  # 32 px against 64 px
    table = (home / "results" / "tables" / "attribution-raw-to-raw.md").read_text()
    assert "after jpeg60" in table
    assert "image_size" in table or "image size" in table.lower()
    assert bench("verify", "--results", home / "results").returncode == 0
    fit = ("--train", "attribute:biggan", "--protocol", "raw", "--suite", suite, "--store", home / "store")
    told = bench("score", "gramnet", world.data / "BigGAN", *fit)
    assert told.returncode == 0, told.stderr
    assert "P(biggan)" in told.stdout
    again = bench("run", *asked, *places, "--device", "cpu", "--json")
    assert json.loads(again.stdout)["forwards"] == 0


def test_what_attribution_cannot_do_is_told(world):
    for words, told in (
        (("--methods", "semgir_a"), "cannot separate generated images from photographs"),
        (("--methods", "drct", "--train", "attribute:biggan"), "cannot be trained on attribute:biggan"),
        (("--methods", "gramnet", "--train", "attribute:adm"), "genimage:adm is not in the data"),
    ):
        done = bench("plan", *words, *world.options("told"))
        assert done.returncode == 2
        assert told in done.stderr


def test_few_shot_has_four_readings(world):
    options = world.options("fewshot")
    asked = ("--train", "sdv14,biggan,sdv14+biggan,shared:sdv14+biggan", "--methods", "gramnet", "--protocols", "raw")
    done = bench("run", *asked, *options)
    assert done.returncode == 0, done.stderr
    (table,) = (world.root / "fewshot" / "results" / "tables").glob("fewshot-*.md")
    text = table.read_text()
    assert all(
        reading in text for reading in ("per_generator", "pooled", "shared", "single_source: one detector on biggan")
    )
    assert "–" not in text.replace("– :", "")
