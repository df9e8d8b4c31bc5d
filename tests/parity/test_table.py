import math
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.parity.table import Watcher, excess


def test_an_error_is_told_with_its_share_of_what_is_allowed():
    assert excess([1.0, 2.5], [1.0, 2.0], {"abs": 1.0}) == (0.5, 0.5)
    assert excess(np.array([[110.0, 2.0]]), [[100.0, 2.0]], {"rel": 0.2}) == pytest.approx((10, 0.5))
    assert excess([1.0], [1.0, 2.0], {"abs": 1.0}) == (math.inf, math.inf)
    assert np.isnan(excess(["a"], ["a"], {})).all()


def test_comparisons_are_those_of_pytest_and_are_noted():
    watcher = Watcher()
    assert watcher.compared(2.0, 0.1) == 2.1
    assert np.array([1.0]) != watcher.compared(np.array([1.5]), abs=0.1)
    assert watcher.errors == [(pytest.approx(0.1), pytest.approx(0.5)), (0.5, pytest.approx(5.0))]


def test_the_command_prints_the_worst_error_first():
    command = [sys.executable, "-m", "tests.parity.table", "-k", "contrastive_loss"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    row = done.stdout.splitlines()[-1]
    assert "rine" in row
    assert "contrastive" in row
    assert 0 < float(row.split()[0]) < 1e-4
