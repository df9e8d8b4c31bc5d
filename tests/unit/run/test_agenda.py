"""Units come in an order in which they can be done; failures stop what stands on them and nothing else."""

import itertools

from bench.device import Processes
from bench.progress import Progress
from bench.run.agenda import Agenda
from bench.run.units import Chunk, Trial
from bench.types import Fit


def chunk(recipe, number, *after, engine=None):
    return Chunk(0, number, recipe, engine or recipe, f"{recipe} artefacts", 64, 1.0, frozenset(after))


def trial(name, *after):
    fit = Fit(name, "", 1, {}, {}, (), "sdv14", (), (), "raw", 0)
    return Trial(fit, (), 1.0, frozenset(after))


class Told(Progress):
    """Remembers what stages were opened, how far they went and which are open."""

    def __init__(self):
        self.numbers, self.open, self.done = itertools.count(), {}, {}

    def begin(self, title, total):
        number = next(self.numbers)
        self.open[number], self.done[title] = (title, total), 0
        return number

    def advance(self, stage, units=1):
        self.done[self.open[stage][0]] += units

    def end(self, stage):
        del self.open[stage]


def order(agenda, failing=()):
    """What one process gets, unit by unit."""
    found = []
    while (place := agenda.take()) is not None:
        unit = agenda.units[place]
        name = unit.recipe if isinstance(unit, Chunk) else unit.fit.method
        found.append(name)
        agenda.finished(place, {name: "broken"} if name in failing else {})
    return found


def test_everything_is_done_once_after_what_it_stands_on():
    units = [chunk("b", 0, "a"), chunk("a", 0), chunk("a", 1), trial("gramnet", "b"), trial("cnnspot")]
    told = Told()
    assert order(Agenda(units, told, {})) == ["a", "a", "b", "gramnet", "cnnspot"]
    assert told.done == {"a artefacts": 128, "b artefacts": 64, "fits with their scores": 2}
    assert told.open == {}


def test_a_unit_waits_while_another_process_is_at_what_it_needs():
    agenda = Agenda([chunk("a", 0), chunk("b", 0, "a"), trial("gramnet", "b"), trial("cnnspot")], Told(), {})
    assert agenda.take() == 0
    assert agenda.take() == 3
    assert agenda.take() is None
    agenda.finished(0, {})
    assert agenda.take() == 1
    assert agenda.take() is None
    agenda.finished(1, {})
    assert agenda.take() == 2


def test_a_process_keeps_its_engine_and_leaves_alone_what_others_have_loaded():
    units = [chunk("a", 0), chunk("a", 1), chunk("b", 0), chunk("c", 0, engine="a")]
    agenda = Agenda(units, Told(), {})
    assert agenda.take() == 0
    assert agenda.take("", {"a"}) == 2
    assert agenda.take("b", {"a"}) == 1
    assert agenda.take("a") == 3


def test_a_failure_ends_its_recipe_and_those_that_stand_on_it():
    units = [chunk("a", 0), chunk("a", 1), chunk("b", 0, "a"), chunk("c", 0), trial("dire", "b"), trial("gramnet")]
    told = Told()
    agenda = Agenda(units, told, {})
    assert order(agenda, failing={"a"}) == ["a", "c", "dire", "gramnet"]
    assert agenda.failed == {"a": "broken", "b": "broken"}
    assert told.open == {}


def test_a_unit_that_came_to_nothing_can_be_taken_once_more():
    agenda = Agenda([chunk("a", 0), chunk("b", 0, "a"), trial("dire", "b")], Told(), {})
    assert agenda.take() == 0
    assert agenda.waiting == 2
    agenda.again(0)
    assert agenda.waiting == 3
    assert order(agenda) == ["a", "b", "dire"]
    assert agenda.waiting == 0


def test_bars_are_whole_where_part_of_the_work_was_dropped():
    told = Told()
    same = [
        Chunk(0, n, name, name, "artefacts", 64, 1.0, frozenset(after))
        for n, name, after in ((0, "a", ()), (0, "b", ("a",)), (1, "b", ("a",)), (0, "c", ()))
    ]
    agenda = Agenda(same, told, {})
    assert order(agenda, failing={"a"}) == ["a", "c"]
    assert told.done == {"artefacts": 128}
    assert told.open == {}


def test_no_more_processes_than_work_and_machine_call_for():
    assert Processes(8).count("cpu", units=100, seconds=1000.0) == 8
    assert Processes(8).count("cpu", units=3, seconds=1000.0) == 3
    assert Processes(8).count("cpu", units=100, seconds=25.0) == 3
    assert Processes(8).count("cpu", units=100, seconds=0.0) == 1
    assert Processes(2, asked=True).count("cpu", units=100, seconds=1.0) == 2
    assert Processes(8, asked=True).count("cuda", units=100, seconds=1000.0) == 1


def test_what_another_run_is_at_comes_up_again_after_all_else_and_is_put_back_on():
    told = Told()
    agenda = Agenda([chunk("a", 0), chunk("a", 1), chunk("b", 0, "a"), trial("gramnet"), trial("dire", "b")], told, {})
    assert (agenda.take(), agenda.take()) == (0, 1)
    agenda.finished(0, {}, put_off=True)
    agenda.finished(1, {})
    assert told.done == {"a artefacts": 64}
    assert (agenda.take(), agenda.take()) == (3, 0)
    assert agenda.put_back == {0}
    agenda.finished(0, {})
    assert order(agenda) == ["b", "dire"]
    assert told.done["a artefacts"] == 128
    assert agenda.waiting == 0


def test_a_fit_that_another_run_is_at_comes_up_again_after_all_other_fits():
    agenda = Agenda([trial("gramnet"), trial("dire"), chunk("a", 0)], Told(), {})
    assert agenda.take() == 2
    agenda.finished(2, {}, put_off=True)
    assert agenda.take() == 0
    agenda.finished(0, {}, put_off=True)
    assert [agenda.take() for _ in range(4)] == [1, 2, 0, None]
    assert agenda.put_back == {0, 2}


def test_what_was_put_off_goes_with_its_recipe_when_that_fails():
    agenda = Agenda([chunk("a", 0), chunk("a", 1), trial("dire", "a")], Told(), {})
    assert (agenda.take(), agenda.take()) == (0, 1)
    agenda.finished(0, {}, put_off=True)
    agenda.finished(1, {"a": "broken"})
    assert order(agenda) == ["dire"]
    assert agenda.waiting == 0
