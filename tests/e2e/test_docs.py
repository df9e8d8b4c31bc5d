"""What the guides say is done as they say it."""

import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from bench.results import summary
from bench.results.folder import Results
from tests.conftest import ROOT, make_genimage
from tests.e2e.conftest import bench

#: Files that a reader of a guide creates.
CREATED = {"methods/mean_colour.py", "methods/blur_distance.py", "bench/artefacts/engines/gaussian_blur.py"}


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / name).read_text(), re.DOTALL)


def test_a_stranger_adds_a_method_in_one_file(world, tmp_path):
    """The example of docs/add-a-method.md, saved into a checkout, runs and is scored beside the others."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copytree(ROOT / "methods", checkout / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run_bench.py", checkout)
    (checkout / "bench").symlink_to(ROOT / "bench")
    (checkout / "methods" / "mean_colour.py").write_text(blocks("add-a-method.md", "python")[0])
    command = [
        sys.executable,
        "run_bench.py",
        "--methods",
        "mean_colour,container",
        *map(str, world.options("stranger")),
    ]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = list(csv.DictReader(world.rows("stranger").decode().splitlines()))
    mine = [r for r in found if r["method"] == "mean_colour" and r["metric"] == "auc"]
    assert {r["subset"] for r in mine} >= {"sdv14", "biggan", "mean:all"}
    assert all(0 <= float(r["value"]) <= 1 for r in mine)
    listed = subprocess.run(
        [sys.executable, "run_bench.py", "list", "methods"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert "mean_colour" in listed.stdout


def check_method(name, cwd):
    """The promises that `check-method` finds broken, and how many there are."""
    command = [sys.executable, "run_bench.py", "check-method", name, "--json"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    outcome = json.loads(done.stdout)
    broken = {line["promise"]: line["broken"] for line in outcome if line["broken"]}
    assert done.returncode == bool(broken), done.stderr
    return broken, len(outcome)


def test_check_method_names_the_promise_that_a_strangers_method_breaks(tmp_path):
    """As docs/add-a-method.md says: the example breaks one promise, that of learning the toy world."""
    shutil.copytree(ROOT / "methods", tmp_path / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bench").symlink_to(ROOT / "bench")
    shutil.copy(ROOT / "run_bench.py", tmp_path)
    (tmp_path / "methods" / "mean_colour.py").write_text(blocks("add-a-method.md", "python")[0])
    broken, count = check_method("mean_colour", tmp_path)
    assert list(broken) == ["It learns to separate the toy world, and scores every image."]
    assert count >= 10


def checkout_with_the_engine(tmp_path):
    """A checkout with the two files of docs/add-an-engine.md; the large files of the miniature are links."""
    checkout, large = tmp_path / "checkout", ("weights", "images")
    for name in ("bench", "methods", "tests"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", *large))
    for name in large:
        (checkout / "bench" / "miniature" / name).symlink_to(ROOT / "bench" / "miniature" / name)
    for name in ("run_bench.py", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    engine, method, *_ = blocks("add-an-engine.md", "python")
    (checkout / "bench" / "artefacts" / "engines" / "gaussian_blur.py").write_text(engine)
    (checkout / "methods" / "blur_distance.py").write_text(method)
    return checkout


def test_a_stranger_adds_an_engine_and_a_method_that_uses_it(world, tmp_path):
    """The examples of docs/add-an-engine.md: the artefacts are made once, and the method is scored with a control."""
    checkout = checkout_with_the_engine(tmp_path)
    options = ["--protocols", "raw", "--json", *map(str, world.options("engine"))]
    command = [sys.executable, "run_bench.py", "--methods", "blur_distance,container", *options]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = list(csv.DictReader(world.rows("engine").decode().splitlines()))
    mine = [r for r in found if r["method"] == "blur_distance" and r["metric"] == "auc" and r["subset"] == "sdv14"]
    assert {r["perturbation"] for r in mine} == {"none", "permuted"}
    assert all(0 <= float(r["value"]) <= 1 for r in mine)
    recipes = (world.root / "engine" / "store" / "artefacts").glob("*/recipe.json")
    assert [json.loads(path.read_text())["engine"] for path in recipes] == ["gaussian_blur"]
    assert json.loads(done.stdout)["artefacts_made"] > 0


def test_the_contract_suite_takes_a_strangers_engine(tmp_path):
    """With the lines that docs/add-an-engine.md adds to the tables of the suite, engine and method pass."""
    checkout = checkout_with_the_engine(tmp_path)
    _, _, recipe, size = blocks("add-an-engine.md", "python")
    tests, toy = checkout / "tests" / "contract" / "test_datasets_and_engines.py", checkout / "bench" / "execution"
    text = tests.read_text().replace("RECIPES = {\n", "RECIPES = {\n" + recipe)
    tests.write_text(text.replace("engines import (\n", "engines import (\n    gaussian_blur,\n"))
    text, first = (toy / "toy.py").read_text(), '    "ddim_inversion": lambda'
    (toy / "toy.py").write_text(text.replace(first, size + first))
    words = ("-q", "-p", "no:cacheprovider", "tests/contract/test_datasets_and_engines.py", "-k", "gaussian_blur")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert re.search(r"^[3-9] passed", done.stdout, re.MULTILINE), done.stdout
    broken, count = check_method("blur_distance", checkout)
    assert broken == {}
    assert count >= 3


def test_a_folder_in_genimages_layout_is_trained_on(tmp_path):
    """As docs/add-a-dataset.md says, with no other folder present."""
    make_genimage(tmp_path / "data", "flux_dev", "", count=12)
    places = ("--data", tmp_path / "data", "--store", tmp_path / "store", "--results", tmp_path / "results")
    done = bench("run", "--methods", "image_size", "--protocols", "raw", "--train", "flux_dev", *places)
    assert done.returncode == 0, done.stderr
    found = list(csv.DictReader((tmp_path / "results" / "rows.csv").read_text().splitlines()))
    assert {(r["train"], r["subset"], r["relation"]) for r in found if r["subset"] == "flux_dev"} == {
        ("flux_dev", "flux_dev", "source")
    }


def test_every_file_and_command_that_a_guide_names_exists():
    names = set()
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        names |= set(re.findall(r"`((?:bench|methods|tests|docs|tools)/[\w/.-]+\.\w+)`", page.read_text()))
    missing = [n for n in names if not (ROOT / n).exists() and n not in CREATED]
    assert names
    assert missing == []


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)\b(?=[` \n])", (ROOT / "README.md").read_text()))
    assert {"bench", "test"} <= named & targets


def test_a_stranger_adds_a_metric(tmp_path, monkeypatch):
    """The example of docs/add-a-metric.md: computed for every cell with its interval, and equal to scikit-learn's."""
    from sklearn.metrics import f1_score

    from bench.metrics import classification
    from bench.results.measure import measure
    from tests.golden.test_report import fill
    from tests.unit.results.test_measure import scores

    monkeypatch.setattr(classification, "METRICS", dict(classification.METRICS))
    results = fill(tmp_path)
    exec(blocks("add-a-metric.md", "python")[0], vars(classification))
    rows = measure(results).rows.query("metric == 'f1' and threshold_rule == '0.5' and perturbation == 'none'")
    means = {"mean:all", "mean:family", "mean:out", "pooled"}
    assert set(rows["subset"]) == {"sdv14", "sdv15", "biggan", "adm"} | means
    same = "method == 'alpha' and subset == 'sdv14' and train_protocol == 'raw' and protocol == 'raw' and seed == 0"
    cell = rows.query(same).iloc[0]
    first = scores(1, shift=2.9)
    assert cell["value"] == pytest.approx(f1_score(first.label, np.asarray(first.logit) > 0))
    assert cell["low"] < cell["value"] < cell["high"]


def test_the_readme_s_python_runs(monkeypatch, capsys):
    """The example of README.md prints the ten best of the committed board, in order."""
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    exec(code, {})
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if re.fullmatch(r"\w+ +0\.\d+", line)]
    board = Results(ROOT / "results" / "board" / "mini")
    means = summary.read(board.summary).query(
        "dataset == 'genimage' and subset == 'mean:out' and metric == 'auc' and perturbation == 'none' "
        "and train_protocol == 'aligned' and protocol == 'aligned'"
    )
    best = means.groupby("method")["value"].mean().nlargest(10)
    assert [(name, float(value)) for name, value in lines] == [(n, pytest.approx(v, abs=1e-5)) for n, v in best.items()]
