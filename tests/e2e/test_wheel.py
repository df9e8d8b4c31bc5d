"""A built wheel in a fresh environment: the base reads results, the extra runs, plugins come from outside."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLUGIN = '''"""A method of another project."""

from dataclasses import dataclass

from bench.detector import Card, Sample, Statistic


@dataclass(frozen=True)
class Params:
    """None."""


class Redness(Statistic):
    """How red an image is."""

    card = Card("Redness", "none: a control", "another project", "MIT", "none", "1 = fake", 1)
    Params = Params

    def value(self, sample: Sample) -> float:
        """Mean of the red channel, 0…255."""
        return float(sample.rgb[..., 0].mean())


METHOD = Redness
'''


def uv():
    found = shutil.which("uv") or Path(sys.executable).parent / "uv"
    if not Path(found).exists():
        pytest.skip("uv is neither on the path nor in the environment")
    return found


def call(*words, cwd, expect=0):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the tracked files."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("bench", "methods"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source, cwd=source)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def base(wheel, tmp_path_factory):
    """A fresh environment with the wheel and nothing else, in the versions of the lock."""
    folder = tmp_path_factory.mktemp("base")
    pins = re.findall(r"^([\w.-]+==\S+)(?:( ; [^\\]+))?", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "pins.txt").write_text("".join(f"{pin}{marker}\n" for pin, marker in pins))
    call(uv(), "venv", "--quiet", "--python", sys.executable, folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    call(uv(), "pip", "install", "--quiet", "--python", python, "--constraint", folder / "pins.txt", wheel, cwd=folder)
    return folder


def test_the_wheel_has_one_import_package_with_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"bench"}
    tracked = subprocess.run(
        ["git", "ls-files", "bench", "methods"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    wanted = {name if name.startswith("bench/") else f"bench/{name}" for name in tracked.stdout.split()}
    if not wanted:
        pytest.skip("not a git checkout")
    assert wanted - set(names) == set()


@pytest.mark.slow
def test_the_base_reads_verifies_compares_and_reports_without_torch(base):
    """In an empty folder: what a reader of a published results folder does."""
    home, board = base / "empty", ROOT / "results" / "board" / "own"
    home.mkdir()
    reconbench, python = base / "env" / "bin" / "reconbench", base / "env" / "bin" / "python"
    probe = "import importlib.util as u; print([n for n in ('torch', 'diffusers', 'transformers') if u.find_spec(n)])"
    assert call(python, "-c", probe, cwd=home).stdout.strip() == "[]"
    listed = json.loads(call(reconbench, "list", "methods", "--json", cwd=home).stdout)
    assert {"dire", "gramnet", "container"} <= {method["name"] for method in listed}
    verified = json.loads(call(reconbench, "verify", "--results", board, "--json", cwd=home).stdout)
    assert verified["differences"] == []
    copy = shutil.copytree(board, home / "copy")
    call(reconbench, "report", "--results", copy, cwd=home)
    compared = call(reconbench, "compare", "gramnet", "lnp", "--results", copy, "--json", cwd=home)
    assert {line["metric"] for line in json.loads(compared.stdout)} == {"auc"}
    line = f"from bench.results import load_results; print(len(load_results({str(board)!r})))"
    assert int(call(python, "-c", line, cwd=home).stdout) == verified["rows"]
    refused = call(reconbench, "--methods", "gramnet", cwd=home, expect=2)
    assert "pip install '.[run]'" in refused.stderr
    assert not (home / "store").exists()
    assert "Usage: reconbench" in call(reconbench, "run", "--help", cwd=home).stdout


@pytest.mark.slow
def test_the_extra_trains_and_a_plugin_is_on_the_leaderboard(base, world, tmp_path):
    """The packages of the extra are lent by this environment: installing them again would take gigabytes."""
    environment = shutil.copytree(base / "env", tmp_path / "env", symlinks=True)
    site = next((environment / "lib").glob("python*")) / "site-packages"
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    (tmp_path / "redness.py").write_text(PLUGIN)
    (tmp_path / "broken.py").write_text("raise ValueError('oops')\n")
    python, home = environment / "bin" / "python", tmp_path / "empty"
    home.mkdir()
    plugins = ("--plugin", tmp_path / "redness.py", "--plugin", tmp_path / "broken.py")
    places = ("--suite", world.suite, "--data", world.data, "--store", home / "store", "--results", home / "results")
    words = ("--methods", "gramnet,dire,redness", "--processes", "2", *plugins, *places)
    done = call(python, "-m", "bench", *words, cwd=home)
    assert "broken.py is not used: ValueError: oops" in done.stderr
    assert "Redness" in (home / "results" / "leaderboard.md").read_text()
    rows = list(csv.DictReader((home / "results" / "rows.csv").open()))
    assert {row["method"] for row in rows if row["value"]} == {"gramnet", "dire", "redness"}
    assert "@software{reconbench" in (home / "results" / "CITATIONS.bib").read_text()
    checked = call(python, "-m", "bench", "check-method", tmp_path / "redness.py", cwd=home, expect=1)
    assert re.search(r"broken +Its values are of one type, and it separates the toy world", checked.stdout)
    assert "redness keeps 3 of 4 promises" in checked.stdout
