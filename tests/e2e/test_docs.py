"""What the guides say is done as they say it."""

import csv
import re
import shutil
import subprocess
import sys

from tests.conftest import ROOT


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


def test_the_contract_suite_finds_a_strangers_method(tmp_path):
    """As docs/add-a-method.md says: it runs on the example, which breaks one promise, that of learning the toy set."""
    shutil.copytree(ROOT / "methods", tmp_path / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("bench", "tests", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "methods" / "mean_colour.py").write_text(blocks("add-a-method.md", "python")[0])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract", "-k", "mean_colour"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    failed = re.findall(r"^FAILED .*::(\w+)", done.stdout, re.MULTILINE)
    assert failed == ["test_it_learns_a_separable_toy_set_and_scores_every_image"], done.stdout
    assert re.search(r"1 failed, \d\d+ passed", done.stdout)


def test_every_file_and_command_that_a_guide_names_exists():
    names = set()
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        names |= set(re.findall(r"`((?:bench|methods|tests|docs|tools)/[\w/.-]+\.\w+)`", page.read_text()))
    missing = [n for n in names if not (ROOT / n).exists() and n != "methods/mean_colour.py"]
    assert names
    assert missing == []


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)\b(?=[` \n])", (ROOT / "README.md").read_text()))
    assert {"bench", "test"} <= named & targets
