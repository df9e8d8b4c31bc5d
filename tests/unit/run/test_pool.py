"""A pool outlives its processes: one that dies costs a second try, not the run."""

import multiprocessing
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.errors import BenchError
from bench.progress import Meter
from bench.run.agenda import Agenda
from bench.run.pool import Pool
from bench.run.worker import Outcome, Worker
from tests.unit.run.test_agenda import Told, chunk, trial


class Fake:
    """A worker without a process: what it does with each order is a function of the unit's place."""

    def __init__(self, acts, ready=True):
        self.pipe, self._theirs = multiprocessing.Pipe()
        self._acts = acts
        self.ready, self.place, self.engine, self.stages, self.ended = False, None, "", {}, False
        if ready:
            self._theirs.send(("ready",))
        else:
            self._theirs.close()

    def send(self, order):
        if order is not None and not self._theirs.closed:
            self._acts(order.place, order.failed, self._theirs)

    report = Worker.report

    def end(self, progress):
        self.ended = True
        while self.stages:
            progress.end(self.stages.popitem()[1])
        return "signal 9; out of memory?"


def outcome(**failed):
    meter = Meter()
    meter.forwards = 10
    return Outcome(failed, [("fit", "gramnet", 5, 1.0)], meter)


def good(place, known, pipe):
    pipe.send(("begin", 1, "epochs", 2))
    pipe.send(("advance", 1, 2))
    pipe.send(("end", 1))
    pipe.send(("done", outcome(), "a"))


def dies(place, known, pipe):
    pipe.send(("begin", 1, "epochs", 2))
    pipe.close()


class Warned(Told):
    """Also remembers warnings."""

    def __init__(self):
        super().__init__()
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


def pooled(units, *workers):
    """A pool whose processes are these, in the order in which they are started."""
    told, started = Warned(), []
    session = SimpleNamespace(
        progress=told, costs=[], lost={}, meter=Meter(), results=SimpleNamespace(has_scores=lambda *_: False)
    )
    agenda = Agenda(units, told, {})

    def start():
        started.append(workers[len(started)]())
        return started[-1]

    return Pool(agenda, session, start), agenda, session, started


UNITS = (chunk("a", 0), chunk("a", 1), trial("gramnet", "a"), trial("cnnspot"))


def test_everything_is_done_and_counted():
    pool, agenda, session, started = pooled(UNITS, lambda: Fake(good), lambda: Fake(good))
    pool.run(2)
    assert (agenda.waiting, agenda.failed, session.meter.forwards, len(session.costs)) == (0, {}, 40, 4)
    assert session.progress.open == {}
    assert all(worker.ended for worker in started)


def test_what_a_process_was_at_that_died_is_tried_once_more():
    pool, agenda, session, started = pooled(UNITS, lambda: Fake(dies), lambda: Fake(good), lambda: Fake(good))
    pool.run(2)
    assert (agenda.failed, session.meter.forwards) == ({}, 40)
    assert session.progress.open == {}
    assert len(started) == 3
    assert "once more: a artefacts" in session.progress.warnings[0]


def test_a_unit_that_ends_two_processes_fails_with_what_stands_on_it():
    def act(place, known, pipe):
        (dies if place == 0 else good)(place, known, pipe)

    pool, agenda, session, _ = pooled(UNITS, *[lambda: Fake(act)] * 4)
    pool.run(1)
    assert set(agenda.failed) == {"a"}
    assert "fewer --processes" in agenda.failed["a"]
    assert session.meter.forwards == 20  # Both trials ran; the second chunk was given up.
    assert session.progress.open == {}


def test_a_trial_that_ends_two_processes_fails_alone():
    def act(place, known, pipe):
        (dies if place == 3 else good)(place, known, pipe)

    pool, agenda, session, _ = pooled(UNITS, *[lambda: Fake(act)] * 4)
    pool.run(1)
    assert set(agenda.failed) == {UNITS[3].fit.key}
    assert session.meter.forwards == 30


def test_an_idle_process_that_dies_costs_nothing():
    def leaves(place, known, pipe):
        good(place, known, pipe)
        pipe.close()  # Done, and dead before the next order.

    pool, agenda, session, started = pooled(UNITS, lambda: Fake(leaves), *[lambda: Fake(good)] * 3)
    pool.run(1)
    assert (agenda.failed, session.meter.forwards) == ({}, 40)
    assert len(started) in (2, 3)


def test_processes_that_cannot_start_end_the_run_in_words():
    pool, _, _, started = pooled(UNITS, *[lambda: Fake(good, ready=False)] * 5)
    with pytest.raises(BenchError, match="No process can be started") as caught:
        pool.run(2)
    assert "--processes 1" in caught.value.remedy
    assert all(worker.ended for worker in started)


def test_failures_are_known_to_those_who_come_after():
    seen = []

    def act(place, known, pipe):
        seen.append((place, dict(known)))
        pipe.send(("done", outcome(**({"a": "broken"} if place == 0 else {})), "a"))

    pool, agenda, _, _ = pooled(UNITS, lambda: Fake(act))
    pool.run(1)
    assert seen == [(0, {}), (2, {"a": "broken"}), (3, {"a": "broken"})]
    assert agenda.failed == {"a": "broken"}


def test_a_chunk_that_ends_processes_is_halved_until_its_image_is_alone():
    """Of four images one ends every process that computes it: the other three are made."""
    ids = ("aa", "bb", "cc", "dd")
    units = (replace(chunk("a", 0), wanted=ids, images=4),)
    made = []

    class Honest(Fake):
        def send(self, order):
            if order is None or self._theirs.closed:
                return
            unit = order.unit or units[order.place]
            if "cc" in unit.wanted:
                self._theirs.close()
                return
            made.extend(unit.wanted)
            self._theirs.send(("done", outcome(), "a"))

    pool, agenda, session, _ = pooled(units, *[lambda: Honest(None)] * 9)
    pool.run(1)
    assert sorted(made) == ["aa", "bb", "dd"]
    assert agenda.failed == {}
    assert list(session.lost) == ["a"]
    assert "processes ended over it" in session.lost["a"]["cc"]
    assert agenda.waiting == 0
