"""Files for GitHub and for packaging are in step with the Makefile and with each other."""

import re
import sys
import tomllib

import yaml

from bench import __version__
from bench.cli.setup import RUN_PACKAGES
from bench.data.nulls import KINDS
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def commands():
    return [
        step["run"]
        for workflow in WORKFLOWS.values()
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]


def test_workflows_call_make_targets_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {command.split()[1] for command in commands()}
    assert all(command.startswith("make ") for command in commands())
    assert called <= targets
    assert called >= {"check", "test", "regress", "test-base"}


def test_the_oldest_supported_python_is_tested():
    pythons = WORKFLOWS["test.yml"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert len(pythons) == 3
    assert PROJECT["project"]["requires-python"] == f">={pythons[0]}"


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["project"]["version"] == __version__ == citation["version"]
    assert PROJECT["project"]["license"] == citation["license"]


def test_a_missing_package_of_the_extra_is_recognised():
    """The names by which `run`'s packages are imported are those that the command line explains."""
    imported = {"scikit-learn": "sklearn", "opencv-python-headless": "cv2", "pywavelets": "pywt"}
    names = [re.match(r"[\w-]+", line)[0] for line in PROJECT["project"]["optional-dependencies"]["run"]]
    assert {imported.get(name, name) for name in names} == set(RUN_PACKAGES)


def test_no_script_hides_a_module_of_python():
    """A script's folder is the first place to look for imports, on Ray's workers too."""
    folders = (ROOT, *(ROOT / name for name in ("benchmarks", "tools", "examples", "methods")))
    names = {path.stem for folder in folders for path in folder.glob("*.py")}
    assert len(names) > 20
    assert not names & sys.stdlib_module_names - {"__init__"}


def test_the_board_has_every_null_generator():
    (words,) = re.findall(r"for kind in ([a-z_ ]+); do", (ROOT / "Makefile").read_text())
    assert set(words.split()) == set(KINDS)
