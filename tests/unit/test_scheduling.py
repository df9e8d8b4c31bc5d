"""Tests that share something costly are in one group; the names of the files in the list are those of files."""

import re

from tests.conftest import ROOT
from tests.scheduling import MAIN_JOB, group_of


def test_groups_are_files_methods_and_the_main_job():
    promises = "tests/contract/test_methods.py"
    kept, variant = f"{promises}::test_a[dire-it_learns]", f"{promises}::test_b[dire-adm]"
    assert group_of(kept) == group_of(variant) == f"{promises} dire"
    assert group_of(f"{promises}::test_a_broken_promise_is_named") == promises
    assert group_of("tests/unit/test_a.py::test_b[x-y]") == "tests/unit/test_a.py"
    assert group_of("tests/e2e/test_faults.py::test_a") == group_of("tests/e2e/test_main_job.py::test_b")


def test_every_file_that_uses_the_main_job_is_listed():
    files = (ROOT / "tests" / "e2e").glob("test_*.py")
    using = {str(f.relative_to(ROOT)) for f in files if re.search(r"def \w+\([^)]*\bfirst\b", f.read_text())}
    assert using == MAIN_JOB
