"""``verify`` and ``report`` on folders that somebody has changed or broken."""

import re
import shutil

import pytest

from tests.e2e.conftest import bench


@pytest.fixture
def copy(world, first, tmp_path):
    shutil.copytree(world.root / "a" / "results", tmp_path / "results")
    return tmp_path / "results"


@pytest.mark.parametrize("name", ["leaderboard.md", "tables/genimage-sdv14-raw-to-raw-auc.csv"])
def test_a_changed_text_of_the_report_is_found(copy, name):
    assert (copy / name).exists()
    (copy / name).write_text("nothing of the kind\n")
    changed = bench("verify", "--results", copy)
    assert changed.returncode == 1
    told = changed.stdout.splitlines()[0]
    assert told.startswith(f"{name} is not what report writes: line 1 is 'nothing of the kind', not ")


@pytest.mark.parametrize("name", ["summary.csv", "thresholds.csv"])
def test_a_changed_number_is_found_but_not_its_last_digit(copy, name):
    text = (copy / name).read_text()
    start, third, end, last = re.search(r",(-?0\.[1-9]\d)(\d)(\d\d)(\d),", text).groups()
    number = start + third + end + last
    beside, other = (str(int(digit) + (1 if digit < "9" else -1)) for digit in (last, third))
    for changed, code in ((start + third + end + beside, 0), (start + other + end + last, 1)):
        (copy / name).write_text(text.replace(f",{number},", f",{changed},", 1))
        assert bench("verify", "--results", copy).returncode == code, changed


@pytest.mark.parametrize("verb", ["verify", "report"])
def test_a_folder_that_cannot_be_read_is_told(copy, verb):
    (copy / "cells.json").write_text("{")
    broken = bench(verb, "--results", copy)
    assert broken.returncode == 2
    assert "cells.json cannot be read" in broken.stderr
