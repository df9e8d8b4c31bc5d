"""What the command line prints and with which exit code it ends."""

import pytest
import typer

from bench.cli import show
from bench.types import Cell, Fit, Hole, Plan, Slice
from tests.conftest import item

FIT = Fit("dire", "", 1, {}, {}, (), "sdv14", ("a",), ("b",), "raw", 0)
TEST, VAL = (Slice("genimage", "adm", role, (item(1, 0), item(2, 1))) for role in ("test", "val"))
HOLE = Hole(**vars(Cell(FIT, TEST).id), reason="no image has a partner of its size")


def plan(cells, holes):
    return Plan({}, (), (FIT,), tuple(cells), tuple(holes))


def test_a_run_without_any_number_ends_with_code_one_and_the_reasons(capsys):
    with pytest.raises(typer.Exit) as ended:
        show.exit_if_empty(plan([Cell(FIT, VAL)], [HOLE, HOLE]))
    assert ended.value.exit_code == 1
    assert "2 holes (no image has a partner of its size)" in capsys.readouterr().err


@pytest.mark.parametrize("made", [plan([Cell(FIT, TEST)], [HOLE]), plan([], [])], ids=["a cell", "probes alone"])
def test_a_hole_beside_numbers_and_a_run_without_detectors_are_no_failure(made):
    show.exit_if_empty(made)
