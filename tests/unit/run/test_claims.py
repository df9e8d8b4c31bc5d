import os
import platform
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from bench.run import claims
from bench.run.claims import Claims


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "_LOOK", 0.0)
    return tmp_path / "folder" / "chunk.claim"


@pytest.fixture
def one():
    return Claims(lambda _: None)


@pytest.fixture
def other():
    return Claims(lambda _: None)


def left(path, text):
    """What a run has left."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_run_at_a_time_has_a_claim(path, one, other):
    claim = one.take(path, "it")
    assert path.read_text().startswith(f"{platform.node()} {os.getpid()} ")
    assert other.take(path, "it") is None
    with claim:
        assert other.take(path, "it", patient=True) is None
    assert not path.exists()
    assert other.take(path, "it") is not None


def test_the_claim_of_a_run_that_ended_on_this_machine_is_taken_over_at_once(path, one):
    left(path, f"{platform.node()} {ended()} 1")
    assert one.take(path, "it") is not None
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "text", ["elsewhere 1 1", "", "elsewhere", f"{platform.node()} x 1", f"{platform.node()} 9{0:020}"]
)
def test_a_claim_of_which_nothing_is_known_lives_until_it_was_not_touched_for_long(path, one, monkeypatch, text):
    now = [0.0]
    monkeypatch.setattr(claims, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=lambda _: None))
    left(path, text)
    os.utime(path, (0, 0))  # However old it is by another clock.
    assert one.take(path, "it") is None
    now[0] = 59.0
    assert one.take(path, "it") is None
    os.utime(path, (1, 1))
    now[0] = 100.0
    assert one.take(path, "it") is None
    now[0] = 161.0
    assert one.take(path, "it") is not None
    assert path.read_text() != text


def test_an_owner_that_works_keeps_its_claim_fresh(path, one, other, monkeypatch):
    monkeypatch.setattr(claims, "_BEAT", 0.01)
    monkeypatch.setattr(claims, "_DEAD", 0.3)
    with one.take(path, "it"):
        os.utime(path, (0, 0))
        end = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < end:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0
        for _ in range(50):
            assert other.take(path, "it") is None
            time.sleep(0.01)


def test_a_claim_that_was_taken_over_is_not_taken_back(path, one):
    claim = one.take(path, "it")
    with claim:
        path.write_text("another")
    assert path.read_text() == "another"


def test_of_two_that_find_one_dead_claim_one_gets_it(path, one, other, monkeypatch):
    left(path, f"{platform.node()} {ended()} 1")
    rename, got = type(path).rename, []

    def late(self, target):
        if self == path and not got:
            got.append(None)
            got[0] = other.take(path, "it")  # Faster than the one that looked first.
        return rename(self, target)

    monkeypatch.setattr(type(path), "rename", late)
    assert one.take(path, "it") is None
    assert got[0] is not None
    assert path.read_text() == got[0]._token


def test_waiting_is_told_once(path):
    notes = []
    mine = Claims(notes.append)
    left(path, "elsewhere 1 1")
    for _ in range(3):
        assert mine.take(path, "maps", patient=True) is None
    assert notes == ["waiting for another run on this store: maps"]


def test_where_no_claim_can_be_written_the_work_is_tried(tmp_path, one):
    (tmp_path / "file").write_text("")
    with one.take(tmp_path / "file" / "sub" / "chunk.claim", "it"):
        pass
    assert (tmp_path / "file").read_text() == ""
