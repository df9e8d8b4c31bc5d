"""How far our numbers are from the published code's, the worst first: ``python -m tests.parity.table [-k NAME]``.

Runs the tests of this folder and looks at every comparison with ``pytest.approx``: the largest error of each test, the
error that it allows, and the kept numbers that it reads. Other words are passed to pytest. It ends with pytest's code.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from tabulate import tabulate

HERE = Path(__file__).parent
NUMBERS = HERE / "numbers"


def excess(found, told, tolerance):
    """(Largest |found − told|, the share of ``tolerance`` that it takes); NaN for what are not numbers.

    ``tolerance`` has the keywords of pytest.approx. Shapes that differ count as infinite.
    """
    try:
        found, told = (np.asarray(x, float) for x in (found, told))
    except (TypeError, ValueError):
        return float("nan"), float("nan")
    if found.shape != told.shape or not found.size:
        return (0.0, 0.0) if found.shape == told.shape else (float("inf"), float("inf"))
    error = np.abs(found - told)
    relative = tolerance.get("rel", 1e-6 if "abs" not in tolerance else 0) * np.abs(told)
    allowed = np.maximum(tolerance.get("abs", 1e-12), relative)
    return float(error.max()), float((error / allowed).max())


class Compared:
    """What pytest.approx returns, and notes every comparison."""

    __array_ufunc__, __array_priority__ = None, 100
    __hash__ = None

    def __init__(self, watcher, told, tolerance):
        self._watcher, self._told, self._tolerance = watcher, told, tolerance
        self._approx = watcher.approx(told, **tolerance)

    def __eq__(self, found):
        self._watcher.errors.append(excess(found, self._told, self._tolerance))
        return self._approx == found

    def __repr__(self):
        return repr(self._approx)


class Watcher:
    """A plugin that collects the errors of each test and the files of numbers that it reads."""

    def __init__(self):
        self.approx, self.read = pytest.approx, Path.read_text
        self.errors, self.files, self.rows = [], set(), []

    def compared(self, told, *words, **more):
        """What stands in for pytest.approx, whose tolerances may also be given by their places."""
        return Compared(self, told, dict(zip(("rel", "abs"), words, strict=False)) | more)

    def pytest_runtest_call(self, item):
        self.errors, self.files = [], set()
        pytest.approx = self.compared
        watcher, read = self, self.read

        def noted(path, *words, **more):
            if path.parent == NUMBERS:
                watcher.files.add(path.stem)
            return read(path, *words, **more)

        Path.read_text = noted

    def pytest_runtest_teardown(self, item):
        pytest.approx, Path.read_text = self.approx, self.read
        if self.errors:
            error, share = (max(values) for values in zip(*self.errors, strict=True))
            name = f"{Path(item.fspath).stem}::{item.name}"
            self.rows.append((error, share, ", ".join(sorted(self.files)), name))


def main():
    watcher = Watcher()
    code = pytest.main(["-q", "-p", "no:cacheprovider", str(HERE), *sys.argv[1:]], plugins=[watcher])
    rows = sorted(watcher.rows, key=lambda row: (-row[1], row[3]))
    head = ("largest error", "share of the allowed", "published numbers of", "test")
    sys.stdout.write(tabulate(rows, head, floatfmt=(".1e", ".0%", "", "")) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
