import csv
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bench.data.decode import decode, image_id
from bench.results import comparisons
from tests.conftest import make_genimage, picture
from tests.e2e.conftest import bench, counts

KEY = ("train", "train_protocol", "dataset", "protocol", "subset", "perturbation")


def rows(world, name="a"):
    return list(csv.DictReader(world.rows(name).decode().splitlines()))


def test_the_main_job_prints_its_tables_and_fills_the_folder(world, first):
    assert "# Leaderboard" in first.stdout
    assert "AUC (%) on genimage" in first.stdout
    home = world.root / "a" / "results"
    for name in ("rows.csv", "run.json", "cells.json", "methods.json", "leaderboard.md", "costs.csv"):
        assert (home / name).exists(), name
    assert {path.stem for path in home.glob("tables/*.md")} > {path.stem for path in home.glob("tables/*.tex")} > set()
    assert list(home.glob("figures/*.png"))


def test_every_cell_is_measured_and_counted(world, first):
    found = rows(world)
    assert {r["method"] for r in found} >= {"dire", "gramnet", "container", "hf_energy"}
    assert {r["status"] for r in found} == {"ok"}
    assert {r["interval"] for r in found} == {""}  # Fewer than twenty images per class say nothing about others.
    single = [r for r in found if r["subset"] == "sdv14" and r["protocol"] == "raw"]
    assert {(r["n_real"], r["n_fake"], r["n_failed"]) for r in single} == {("12", "12", "0")}
    assert {r["perturbation"] for r in found if r["method"] == "dire"} == {"none", "permuted"}


def test_container_is_perfect_on_raw_and_blind_on_aligned(world, first):
    value = {
        (r["protocol"], r["subset"]): float(r["value"])
        for r in rows(world)
        if (r["method"], r["metric"], r["train_protocol"]) == ("container", "auc", "raw")
    }
    assert value["raw", "sdv14"] == value["raw", "biggan"] == 1.0
    assert value["aligned", "sdv14"] == value["aligned", "biggan"] == 0.5


def test_no_test_image_was_trained_on(world, first):
    home = world.root / "a"
    record = json.loads((home / "results" / "cells.json").read_text())["cells"]
    ids = {"test": set(), "val": set()}
    for cell in record:
        ids[cell["role"]] |= set(pq.read_table(home / "results" / cell["scores"]).column("image_id").to_pylist())
    assert ids["test"]
    assert ids["val"]
    assert ids["test"] & ids["val"] == set()


def test_the_same_command_again_computes_nothing_and_changes_nothing(world, first):
    before = world.rows()
    assert min(first.counts) > 0
    again = world.run("--json")
    assert again.returncode == 0, again.stderr
    assert counts(world) == [0, 0, 0]
    assert world.rows() == before
    assert json.loads(again.stdout)["forwards"] == 0


def test_two_runs_are_byte_identical(world, first):
    done = world.run(name="b")
    assert done.returncode == 0, done.stderr
    assert world.rows("b") == world.rows("a")


def test_another_layout_of_the_same_files_changes_no_number(world, first):
    """Keys go by content and draws by file names: the same files in other folders give the same bytes."""
    home = world.root / "renamed"
    shutil.copytree(world.data, home)
    for path in [path for path in home.glob("*/*") if path.is_dir()]:
        path.rename(path.with_name("other"))
    options = list(world.options("a", results=world.root / "renamed-results"))
    options[options.index("--data") + 1] = home
    done = bench("run", *options)
    assert done.returncode == 0, done.stderr
    run = json.loads((world.root / "renamed-results" / "run.json").read_text())
    assert (run["fits_trained"], run["artefacts_made"]) == (0, 0)
    assert (world.root / "renamed-results" / "rows.csv").read_bytes() == world.rows()


def test_a_new_test_set_or_metric_never_retrains(world, first):
    few = ("--methods", "dire,gramnet")
    assert world.run(*few, "--test", "genimage:sdv14", name="c").returncode == 0
    assert world.run(*few, "--test", "all", name="c").returncode == 0
    forwards, fits, _ = counts(world, "c")
    assert fits == 0
    assert forwards > 0


def test_verify_recomputes_every_number_and_finds_a_changed_one(world, first, tmp_path):
    copy = tmp_path / "results"
    shutil.copytree(world.root / "a" / "results", copy)
    assert bench("verify", "--results", copy).returncode == 0
    text = (copy / "rows.csv").read_text()
    line = next(text_line for text_line in text.splitlines() if ",auc," in text_line)
    value = line.split(",")[16]
    (copy / "rows.csv").write_text(text.replace(line, line.replace(f",{value},", ",0.123456789,", 1)))
    changed = bench("verify", "--results", copy)
    assert changed.returncode == 1
    assert "0.123456789" in changed.stdout


def test_compare_takes_two_methods_or_two_folders(world, first):
    home = world.root / "a" / "results"
    done = bench("compare", "dire", "gramnet", "--results", home, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {c["subset"] for c in found} == {"sdv14", "biggan", "mean:all", "mean:out"}
    value = {(r["method"], *(r[k] for k in KEY)): float(r["value"]) for r in rows(world) if r["metric"] == "auc"}
    for c in found:
        cell = (*(c[name] for name in comparisons.SETTING), c["subset"], "none")
        assert c["effect"] == pytest.approx(value["dire", *cell] - value["gramnet", *cell], abs=1.1e-6)
        assert (c["low"] is None) == (c["n_real"] < 20)
        assert c["low"] is None or c["low"] <= c["effect"] <= c["high"]
    same = bench("compare", home, home, "--fail-if-worse", "0.5")
    assert same.returncode == 0
    assert " +0.0 " in same.stdout
    most = max((c for c in found if c["subset"] == "mean:all"), key=lambda c: abs(c["effect"]))
    pair = ("dire", "gramnet") if most["effect"] < 0 else ("gramnet", "dire")
    train, before, dataset, after = (most[name] for name in comparisons.SETTING)
    worse = bench("compare", *pair, "--results", home, "--fail-if-worse", "0")
    assert worse.returncode == 1
    place = f"{dataset} mean:all, trained on {train}, {before} -> {after}"
    assert f"worse: {pair[0]} than {pair[1]} on {place}: -" in worse.stderr
    for points in ("nan", "-1"):
        refused = bench("compare", "hf_energy", "container", "--results", home, "--fail-if-worse", points)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert f"--fail-if-worse is {points}" in refused.stderr
    itself = bench("compare", "dire", "dire", "--results", home)
    assert itself.returncode == 2
    assert "compared with itself" in itself.stderr
    nowhere = bench("compare", world.root / "nowhere", home)
    assert nowhere.returncode == 2
    assert f"There is no results folder {world.root / 'nowhere'}" in nowhere.stderr
    wrong = bench("compare", "dire", "gramnett", "--results", home)
    assert wrong.returncode == 2
    assert "Did you mean 'gramnet'" in wrong.stderr


def test_compare_averages_over_subsets_of_ones_choice(world, first):
    home = world.root / "a" / "results"
    done = bench("compare", "dire", "gramnet", "--results", home, "--over", "sdv14,biggan,sdv14", "--json")
    assert done.returncode == 0, done.stderr
    found = {(*(c[n] for n in comparisons.SETTING), c["subset"]): c for c in json.loads(done.stdout)}
    chosen = {cell: c for cell, c in found.items() if cell[-1] == "mean:sdv14+biggan"}
    assert chosen
    for cell, c in chosen.items():
        assert c | {"subset": "mean:all"} == found[*cell[:-1], "mean:all"]
    strange = bench("compare", "dire", "gramnet", "--results", home, "--over", "bigan")
    assert strange.returncode == 2
    assert "Did you mean 'biggan'" in strange.stderr


def test_report_needs_the_results_folder_alone(world, first, tmp_path):
    copy = tmp_path / "results"
    shutil.copytree(world.root / "a" / "results", copy)
    tables = {p.name: p.read_bytes() for p in (copy / "tables").iterdir()}
    shutil.rmtree(copy / "tables")
    (copy / "leaderboard.md").unlink()
    assert bench("report", "--results", copy).returncode == 0
    assert {p.name: p.read_bytes() for p in (copy / "tables").iterdir()} == tables


def test_plan_tells_what_is_there_and_what_is_not(world, first):
    there = json.loads(world.run("--json", verb="plan").stdout)
    fresh = json.loads(world.run("--json", verb="plan", name="nothing").stdout)
    assert there["forwards"] == there["seconds"] == 0
    assert all(a["missing"] == 0 for a in there["artefacts"])
    assert [a["needed"] for a in fresh["artefacts"]] == [a["missing"] for a in fresh["artefacts"]]
    assert fresh["forwards"] > 0
    assert fresh["seconds"] > 0
    assert len(fresh["cells"]) == len(there["cells"])
    assert not (world.root / "nothing" / "results").exists()


def test_prepare_makes_artefacts_only_and_run_uses_them(world):
    done = world.run("--methods", "dire", "--json", verb="prepare", name="d")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["artefacts_made"] > 0
    assert not (world.root / "d" / "results").exists()
    assert world.run("--methods", "dire", name="d").returncode == 0
    assert counts(world, "d")[2] == 0


def test_score_gives_probabilities_of_own_images_and_reasons_for_broken_ones(world, first, tmp_path):
    make_genimage(tmp_path, count=1, seed=90_000)
    (tmp_path / "broken.png").write_bytes(b"no image")
    options = ("--suite", world.suite, "--store", world.root / "a" / "store", "--json")
    done = bench("score", "dire", tmp_path, *options)
    assert done.returncode == 1, done.stderr
    lines = json.loads(done.stdout)
    assert len(lines) == 5
    assert {line["status"] for line in lines} == {"ok", "unreadable"}
    assert all(0 <= line["p_fake"] <= 1 for line in lines if line["status"] == "ok")
    assert {"path", "method", "p_fake", "logit", "status", "reason", "fit", "trained", "verdict"} < set(lines[0])
    assert lines[0]["trained"] == "dire on sdv14, aligned, seed 0"
    again = json.loads(bench("score", "dire", tmp_path, *options).stdout)
    assert again == lines


def test_score_takes_an_official_checkpoint(world, tmp_path):
    """A training script's file of the real ResNet-50; the probability is torchvision's own on the centre crop."""
    import torch
    from PIL import Image
    from torchvision.models import resnet50

    torch.manual_seed(0)
    net = resnet50(num_classes=1)
    torch.save({"model": net.state_dict(), "optimizer": {}, "total_steps": 1}, tmp_path / "official.pth")
    rgb = picture(5, 300, 260, 6.0)
    Image.fromarray(rgb).save(tmp_path / "image.png")
    options = ("--checkpoint", tmp_path / "official.pth", "--store", tmp_path / "store", "--models", "mini", "--json")
    done = bench("score", "cnnspot", tmp_path / "image.png", *options)
    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout)
    crop = torch.from_numpy(rgb[18:242, 38:262].copy()).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        wanted = net.eval()(((crop - mean) / std)[None]).item()
    assert line["logit"] == pytest.approx(wanted, abs=1e-4)
    wrong = bench("score", "gramnet", tmp_path / "image.png", *options)
    assert wrong.returncode == 2
    assert "does not fit GramNet" in wrong.stderr
    assert "missing: " in json.loads(wrong.stdout)["error"]["context"].lower()
    absent = bench("score", "cnnspot", tmp_path / "image.png", "--checkpoint", tmp_path / "no.pth")
    assert absent.returncode == 2
    assert "is not a file" in absent.stderr


def test_score_without_a_fit_names_the_command(world, first):
    done = bench(
        "score", "dire", world.data, "--suite", world.suite, "--store", world.root / "a" / "store", "--seed", "7"
    )
    assert done.returncode == 2
    assert "--train sdv14 --protocol aligned --seed 0" in done.stderr


@pytest.mark.parametrize("kind", ["methods", "datasets", "models", "protocols"])
def test_list_and_check_print_one_document(kind):
    assert json.loads(bench("list", kind, "--json").stdout)
    assert bench("list", kind).returncode == 0


def test_check_tells_what_is_missing_and_how_to_get_it(tmp_path):
    found = {line["thing"]: line for line in json.loads(bench("check", "--json").stdout)}
    assert found["weights sdv1"]["state"].startswith("Stable Diffusion")
    bare = {line["thing"]: line for line in json.loads(bench("check", "--json", "--models", tmp_path).stdout)}
    assert "--models hub" in bare["weights resnet50"]["fix"]
    assert "DIR/lpips" in bare["weights lpips"]["fix"]
    assert "alexnet-owt" in bare["weights lpips"]["fix"]
    assert "--models hub" not in bare["weights cycleisp"]["fix"]


def test_score_takes_ready_made_artefacts(world, first, tmp_path):
    """DIRE on its own reconstructions given as files, and on the maps of the same, scores as on those it makes."""
    make_genimage(tmp_path / "images", count=1, seed=91_000)
    images = sorted((tmp_path / "images").rglob("*.*"))
    options = ("--suite", world.suite, "--store", world.root / "a" / "store", "--json")
    wanted = json.loads(bench("score", "dire", *images, *options).stdout)
    (tmp_path / "made").mkdir()
    (tmp_path / "maps").mkdir()
    from bench.artefacts.engines import ddim_inversion
    from bench.artefacts.geometry import center_crop_arr
    from bench.artefacts.store import Store
    from bench.models.zoo import Zoo

    zoo, store = Zoo("mini", store=world.root / "a" / "store"), Store(world.root / "a" / "store")
    need = ddim_inversion.recipe(2, 32)
    recipe = need.bind("source").resolve({role: zoo.hash(role) for role in need.roles()})
    for path in images:
        rgb = decode(path.read_bytes()).rgb
        made = decode(store.get(recipe, image_id(rgb))).rgb
        Image.fromarray(made).save(tmp_path / "made" / f"{path.stem}.png")
        difference = np.abs(center_crop_arr(rgb, 32).astype(int) - made).astype(np.uint8)
        Image.fromarray(difference).save(tmp_path / "maps" / f"{path.stem}.png")
    for name, folder in (("reconstruction", "made"), ("map", "maps")):
        done = bench("score", "dire", *images, *options, "--artefact", f"{name}={tmp_path / folder}")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == wanted
    (tmp_path / "made" / f"{images[0].stem}.png").unlink()
    short = bench("score", "dire", *images, *options, "--artefact", f"reconstruction={tmp_path / 'made'}")
    assert short.returncode == 2
    assert f"has nothing for {images[0].stem}" in short.stderr
    wrong = bench("score", "dire", *images, *options, "--artefact", f"reconstructoin={tmp_path / 'made'}")
    assert wrong.returncode == 2
    assert "reconstruction" in wrong.stderr
