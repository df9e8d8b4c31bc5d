"""Units come in an order in which they can be done; failures stop what stands on them and nothing else."""

import itertools

from bench.device import Processes
from bench.execution.scheduler import Scheduler
from bench.planning.units import Chunk, Trial
from bench.progress import Progress
from bench.types import Fit


def chunk(recipe, number, *after, engine=None):
    return Chunk(0, number, recipe, engine or recipe, f"{recipe} artefacts", 64, 1.0, frozenset(after))


def trial(name, *after):
    fit = Fit(name, "", 1, {}, {}, (), "sdv14", (), (), "raw", 0)
    return Trial(fit, (), 1.0, frozenset(after))


class Recorder(Progress):
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


def order(scheduler, failing=()):
    """What one process gets, unit by unit."""
    found = []
    while (unit_id := scheduler.take()) is not None:
        unit = scheduler.units[unit_id]
        name = unit.recipe if isinstance(unit, Chunk) else unit.fit.method
        found.append(name)
        scheduler.finish(unit_id, {name: "broken"} if name in failing else {})
    return found


def test_everything_is_done_once_after_what_it_stands_on():
    units = [chunk("b", 0, "a"), chunk("a", 0), chunk("a", 1), trial("gramnet", "b"), trial("cnnspot")]
    recorder = Recorder()
    assert order(Scheduler(units, recorder, {})) == ["a", "a", "b", "gramnet", "cnnspot"]
    assert recorder.done == {"a artefacts": 128, "b artefacts": 64, "fits with their scores": 2}
    assert recorder.open == {}


def test_a_unit_waits_while_another_process_makes_what_it_needs():
    scheduler = Scheduler([chunk("a", 0), chunk("b", 0, "a"), trial("gramnet", "b"), trial("cnnspot")], Recorder(), {})
    assert scheduler.take() == 0
    assert scheduler.take() == 3
    assert scheduler.take() is None
    scheduler.finish(0, {})
    assert scheduler.take() == 1
    assert scheduler.take() is None
    scheduler.finish(1, {})
    assert scheduler.take() == 2


def test_a_process_keeps_its_engine_and_leaves_alone_what_others_have_loaded():
    units = [chunk("a", 0), chunk("a", 1), chunk("b", 0), chunk("c", 0, engine="a")]
    scheduler = Scheduler(units, Recorder(), {})
    assert scheduler.take() == 0
    assert scheduler.take("", {"a"}) == 2
    assert scheduler.take("b", {"a"}) == 1
    assert scheduler.take("a") == 3


def test_a_failure_ends_its_recipe_and_those_that_stand_on_it():
    units = [chunk("a", 0), chunk("a", 1), chunk("b", 0, "a"), chunk("c", 0), trial("dire", "b"), trial("gramnet")]
    recorder = Recorder()
    scheduler = Scheduler(units, recorder, {})
    assert order(scheduler, failing={"a"}) == ["a", "c", "dire", "gramnet"]
    assert scheduler.failed == {"a": "broken", "b": "broken"}
    assert recorder.open == {}


def test_a_unit_that_was_return_unit_can_be_taken_once_more():
    scheduler = Scheduler([chunk("a", 0), chunk("b", 0, "a"), trial("dire", "b")], Recorder(), {})
    assert scheduler.take() == 0
    assert scheduler.waiting == 2
    scheduler.return_unit(0)
    assert scheduler.waiting == 3
    assert order(scheduler) == ["a", "b", "dire"]
    assert scheduler.waiting == 0


def test_bars_are_whole_where_part_of_the_work_was_dropped():
    recorder = Recorder()
    same = [
        Chunk(0, n, name, name, "artefacts", 64, 1.0, frozenset(after))
        for n, name, after in ((0, "a", ()), (0, "b", ("a",)), (1, "b", ("a",)), (0, "c", ()))
    ]
    scheduler = Scheduler(same, recorder, {})
    assert order(scheduler, failing={"a"}) == ["a", "c"]
    assert recorder.done == {"artefacts": 128}
    assert recorder.open == {}


def test_no_more_processes_than_work_and_machine_call_for():
    assert Processes(8).count("cpu", units=100, seconds=1000.0) == 8
    assert Processes(8).count("cpu", units=3, seconds=1000.0) == 3
    assert Processes(8).count("cpu", units=100, seconds=25.0) == 3
    assert Processes(8).count("cpu", units=100, seconds=0.0) == 1
    assert Processes(2, requested=True).count("cpu", units=100, seconds=1.0) == 2
    assert Processes(8).count("cuda", units=100, seconds=1000.0) == 1
    assert Processes(4, requested=True).count("cuda", units=100, seconds=1000.0) == 4


def test_what_another_run_is_busy_with_comes_last():
    recorder = Recorder()
    scheduler = Scheduler(
        [chunk("a", 0), chunk("a", 1), chunk("b", 0, "a"), trial("gramnet"), trial("dire", "b")], recorder, {}
    )
    assert (scheduler.take(), scheduler.take()) == (0, 1)
    scheduler.defer(0)
    scheduler.finish(1, {})
    assert recorder.done == {"a artefacts": 64}
    assert (scheduler.take(), scheduler.take()) == (3, 0)
    assert scheduler.deferred == {0}
    scheduler.finish(0, {})
    assert order(scheduler) == ["b", "dire"]
    assert recorder.done["a artefacts"] == 128
    assert scheduler.waiting == 0


def test_a_fit_that_another_run_is_busy_with_comes_after_all_other_fits():
    scheduler = Scheduler([trial("gramnet"), trial("dire"), chunk("a", 0)], Recorder(), {})
    assert scheduler.take() == 2
    scheduler.defer(2)
    assert scheduler.take() == 0
    scheduler.defer(0)
    assert [scheduler.take() for _ in range(4)] == [1, 2, 0, None]
    assert scheduler.deferred == {0, 2}


def test_a_deferred_chunk_is_dropped_when_its_recipe_fails():
    scheduler = Scheduler([chunk("a", 0), chunk("a", 1), trial("dire", "a")], Recorder(), {})
    assert (scheduler.take(), scheduler.take()) == (0, 1)
    scheduler.defer(0)
    scheduler.finish(1, {"a": "broken"})
    assert order(scheduler) == ["dire"]
    assert scheduler.waiting == 0
