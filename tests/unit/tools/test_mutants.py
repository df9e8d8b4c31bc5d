"""Every part of `make mutants` has modules to change and tests that exist."""

import pytest

from tools.mutants import PARTS, ROOT


@pytest.mark.parametrize("part", PARTS)
def test_a_part_names_files_that_exist(part):
    modules, tests = PARTS[part]
    assert all(list(ROOT.glob(pattern)) for pattern in modules)
    assert [path for path in tests if not (ROOT / path).exists()] == []
