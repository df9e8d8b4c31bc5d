"""The audit finds the container leak, is blind to what is balanced, counts doubles, and writes a page."""

import json
import shutil

import pandas as pd
import pytest
from PIL import Image

from tests.conftest import picture
from tests.e2e.conftest import bench


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A generator whose fakes are PNG and one whose fakes are coded like the photographs; some images twice."""
    root = tmp_path_factory.mktemp("audit")
    for seed, (generator, suffix) in enumerate({"leaky": "png", "fair": "jpg"}.items()):
        for kind, ending in (("real", "jpg"), ("fake", suffix)):
            folder = root / "data" / generator / kind
            folder.mkdir(parents=True)
            for number in range(40):
                image = Image.fromarray(picture(10_000 * seed + 100 * number + (kind == "fake"), 40, 40))
                image.save(folder / f"{number}.{ending}")
    leaky = root / "data" / "leaky"
    shutil.copy(leaky / "real" / "0.jpg", leaky / "real" / "again.jpg")
    shutil.copy(leaky / "real" / "1.jpg", leaky / "fake" / "wrong.jpg")
    (leaky / "fake" / "broken.png").write_bytes(b"no image")
    return root


def test_leaks_and_doubles_are_told(data):
    done = bench("audit", data / "data", "--store", data / "store", "--out", data / "out", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    says = {line["subset"]: line for line in told["subsets"]}
    assert says["folder:leaky, test"]["verdict"].startswith("LEAK: container (AUC 0.9")
    assert says["folder:leaky, test"]["unreadable"] == 1
    assert says["folder:fair, test"]["verdict"] == "No fact of the files tells the classes apart."
    counted = {(d["subset"], d["what"]): d["count"] for d in told["doubles"]}
    assert counted == {("leaky", "twice in one class"): 1, ("leaky", "in both classes"): 1}
    facts = pd.read_csv(data / "out" / "audit.csv")
    assert set(facts[facts["verdict"] == "leak"]["fact"]) == {"container"}
    assert len(pd.read_csv(data / "out" / "files.csv")) == 163
    page = (data / "out" / "index.html").read_text()
    assert page.count("<img ") == 2
    assert "1 images are in both classes" in page


def test_headers_alone_say_what_they_leave_out(data):
    done = bench("audit", data / "data", "--store", data / "store", "--out", data / "quick", "--header-only")
    assert done.returncode == 0, done.stderr
    assert "LEAK: container" in done.stdout
    assert "were not looked for" in done.stdout
    assert not (data / "quick" / "index.html").read_text().count("twice in one class")


def test_sizes_that_never_repeat_are_a_leak(tmp_path):
    for number in range(60):
        for kind, side in (("real", 30 + number), ("fake", 120 + number)):
            folder = tmp_path / "data" / kind
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(number, side, side + number % 7)).save(folder / f"{number}.jpg")
    options = ("--store", tmp_path / "store", "--out", tmp_path / "out", "--header-only", "--json")
    told = json.loads(bench("audit", tmp_path / "data", *options).stdout)
    (line,) = told["subsets"]
    assert line["verdict"].startswith("LEAK: ")
    assert "shorter side" in line["verdict"]


def test_a_folder_without_classes_is_told_how_to_be_arranged(data, tmp_path):
    shutil.copytree(data / "data" / "fair" / "real", tmp_path / "flat")
    done = bench("audit", tmp_path / "flat", "--store", tmp_path / "store", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "DIR/[generator/][test/]{real,fake}/*" in done.stderr
    assert "left out" not in done.stderr
