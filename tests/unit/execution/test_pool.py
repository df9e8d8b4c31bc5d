"""A pool outlives its processes: one that dies costs a retry, not the run."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.errors import BenchError
from bench.execution.pool import Pool
from bench.execution.scheduler import Scheduler
from bench.execution.worker import Outcome
from bench.progress import Meter
from tests.unit.execution.test_scheduler import Recorder, chunk, trial


def future(value):
    """A future that is done: with a value, or with an error."""
    made = Future()
    if isinstance(value, Exception):
        made.set_exception(value)
    else:
        made.set_result(value)
    return made


DEAD = BrokenProcessPool("terminated abruptly")


class Fake:
    """A worker without a process: ``act`` gives the outcome of each order."""

    def __init__(self, act, starts=True):
        self._act = act
        self.future = future(None if starts else DEAD)
        self.started, self.unit_id, self.engine, self.ended, self.refused = False, None, "", False, None

    def submit(self, order):
        self.unit_id = order.unit_id
        self.future = future(self._act(order))

    def close(self):
        self.ended = True

    def terminate(self):
        self.ended = True

    def reap(self):
        self.ended = True
        return "signal 9; out of memory?"


def outcome(**failed):
    meter = Meter()
    meter.forwards = 10
    return Outcome(failed, [("fit", "gramnet", 5, 1.0)], meter)


def good(order):
    return outcome()


def dies(order):
    return DEAD


class Warned(Recorder):
    """Also remembers warnings."""

    def __init__(self):
        super().__init__()
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


def pooled(units, *workers):
    """A pool whose processes are these, in the order in which they are started."""
    recorder, started = Warned(), []
    session = SimpleNamespace(
        progress=recorder, costs=[], lost={}, meter=Meter(), results=SimpleNamespace(has_scores=lambda *_: False)
    )
    scheduler = Scheduler(units, recorder, {})

    def start():
        started.append(workers[len(started)]())
        return started[-1]

    return Pool(scheduler, session, start), scheduler, session, started


UNITS = (chunk("a", 0), chunk("a", 1), trial("gramnet", "a"), trial("cnnspot"))


def test_everything_is_done_and_counted():
    pool, scheduler, session, started = pooled(UNITS, lambda: Fake(good), lambda: Fake(good))
    pool.run(2)
    assert (scheduler.waiting, scheduler.failed, session.meter.forwards, len(session.costs)) == (0, {}, 40, 4)
    assert session.progress.open == {}
    assert all(worker.ended for worker in started)


def test_a_dead_process_s_unit_is_retried_once():
    pool, scheduler, session, started = pooled(UNITS, lambda: Fake(dies), lambda: Fake(good), lambda: Fake(good))
    pool.run(2)
    assert (scheduler.failed, session.meter.forwards) == ({}, 40)
    assert session.progress.open == {}
    assert len(started) == 3
    assert "retrying: a artefacts" in session.progress.warnings[0]


def test_a_unit_that_ends_two_processes_fails_with_what_stands_on_it():
    def act(order):
        return DEAD if order.unit_id == 0 else outcome()

    pool, scheduler, session, _ = pooled(UNITS, *[lambda: Fake(act)] * 4)
    pool.run(1)
    assert set(scheduler.failed) == {"a"}
    assert "fewer --processes" in scheduler.failed["a"]
    assert session.meter.forwards == 20  # Both trials ran; the second chunk was given up.
    assert session.progress.open == {}


def test_a_trial_that_ends_two_processes_fails_alone():
    def act(order):
        return DEAD if order.unit_id == 3 else outcome()

    pool, scheduler, session, _ = pooled(UNITS, *[lambda: Fake(act)] * 4)
    pool.run(1)
    assert set(scheduler.failed) == {UNITS[3].fit.key}
    assert session.meter.forwards == 30


def test_the_death_of_an_idle_process_costs_no_unit_a_try():
    class Idle(Fake):
        def submit(self, order):
            super().submit(order)
            if order.unit_id == 1:
                self.unit_id, self.refused, self.future = None, order.unit_id, future(DEAD)

    pool, scheduler, session, started = pooled(UNITS, lambda: Idle(good), lambda: Idle(good), lambda: Fake(good))
    pool.run(1)
    assert (scheduler.failed, session.meter.forwards, len(started)) == ({}, 40, 3)
    assert session.progress.warnings == []


def test_an_error_that_is_no_status_fails_its_unit_alone():
    def act(order):
        return RuntimeError("cannot be\npickled") if order.unit_id == 3 else outcome()

    pool, scheduler, session, _ = pooled(UNITS, lambda: Fake(act))
    pool.run(1)
    assert scheduler.failed == {UNITS[3].fit.key: "RuntimeError: cannot be pickled"}
    assert session.meter.forwards == 30


def test_a_machine_that_starts_one_process_of_two_works_with_one():
    def refuses():
        raise OSError(12, "Cannot allocate memory")

    pool, scheduler, session, _ = pooled(UNITS, lambda: Fake(good), refuses)
    pool.run(2)
    assert (scheduler.failed, session.meter.forwards) == ({}, 40)
    assert "no further process can be started" in session.progress.warnings[0]
    alone, _, _, _ = pooled(UNITS, refuses)
    with pytest.raises(BenchError, match="No process can be started"):
        alone.run(2)


def test_processes_that_cannot_start_end_the_run_in_words():
    pool, _, _, started = pooled(UNITS, *[lambda: Fake(good, starts=False)] * 5)
    with pytest.raises(BenchError, match="No process can be started") as caught:
        pool.run(2)
    assert "--processes 1" in caught.value.fix
    assert all(worker.ended for worker in started)


def test_failures_are_known_to_those_who_come_after():
    seen = []

    def act(order):
        seen.append((order.unit_id, dict(order.failed)))
        return outcome(**({"a": "broken"} if order.unit_id == 0 else {}))

    pool, scheduler, _, _ = pooled(UNITS, lambda: Fake(act))
    pool.run(1)
    assert seen == [(0, {}), (2, {"a": "broken"}), (3, {"a": "broken"})]
    assert scheduler.failed == {"a": "broken"}


def test_a_chunk_that_ends_processes_is_halved_until_its_image_is_alone():
    """Of four images one ends every process that computes it: the other three are made."""
    ids = ("aa", "bb", "cc", "dd")
    units = (replace(chunk("a", 0), wanted=ids, images=4),)
    made = []

    def act(order):
        unit = order.unit or units[order.unit_id]
        if "cc" in unit.wanted:
            return DEAD
        made.extend(unit.wanted)
        return outcome()

    pool, scheduler, session, _ = pooled(units, *[lambda: Fake(act)] * 9)
    pool.run(1)
    assert sorted(made) == ["aa", "bb", "dd"]
    assert scheduler.failed == {}
    assert list(session.lost) == ["a"]
    assert "processes died over it" in session.lost["a"]["cc"]
    assert scheduler.waiting == 0
