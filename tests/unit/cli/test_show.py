"""What the command line prints and with which exit code it ends."""

import pytest
import typer

from bench.cli import show
from bench.types import Cell, Fit, Hole, Plan, Slice
from tests.conftest import item
from tests.unit.planning.test_matrix import SUITE, request

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


def test_a_plan_has_a_line_per_engine_with_the_sums_over_its_recipes():
    made = [
        {
            "engine": "lpips",
            "slices": ["b@raw", "c@raw"],
            "needed": 5,
            "cached": 2,
            "missing": 3,
            "forwards": 3,
            "seconds": 0.5,
        },
        {"engine": "blip", "slices": ["b@raw"], "needed": 4, "cached": 4, "missing": 0, "forwards": 0, "seconds": 0.0},
        {
            "engine": "lpips",
            "slices": ["a@raw", "b@raw"],
            "needed": 7,
            "cached": 1,
            "missing": 6,
            "forwards": 12,
            "seconds": 1.0,
        },
    ]
    assert show.by_engine(made) == [
        ["lpips", 12, 3, 9, 15, 1.5, "a@raw, b@raw and 1 more"],
        ["blip", 4, 4, 0, 0, 0.0, "b@raw"],
    ]


def test_a_plan_names_the_methods_that_a_suite_leaves_fewer_protocols():
    suite = SUITE.model_copy(update={"protocols_of": {"dire": ("aligned",)}})
    assert show.restricted(request(suite=suite)) == {"aligned": ["dire"]}
    assert show.restricted(request()) == {}
