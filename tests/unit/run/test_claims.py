import os
import platform
import subprocess
import sys
import threading
import time

import pytest

from bench.run import claims
from bench.run.claims import Claim


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chunk.claim"


def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_run_at_a_time_has_a_claim(path):
    one, other = Claim(path), Claim(path)
    assert one.take()
    assert not other.take()
    assert path.read_text() == f"{platform.node()} {os.getpid()}"
    one.release()
    assert other.take()


def test_the_claim_of_a_run_that_ended_on_this_machine_is_taken_over(path):
    path.write_text(f"{platform.node()} {ended()}")
    assert Claim(path).take()
    assert path.read_text() == f"{platform.node()} {os.getpid()}"


@pytest.mark.parametrize("text", ["elsewhere 1", "", "elsewhere", f"{platform.node()} x"])
def test_a_claim_of_which_nothing_is_known_is_respected(path, text):
    path.write_text(text)
    assert not Claim(path).take()


def test_where_no_claim_can_be_written_the_work_is_tried(tmp_path):
    (tmp_path / "file").write_text("")
    claim = Claim(tmp_path / "file" / "sub" / "chunk.claim")
    did = []
    assert claim.once(lambda: did.append(1), lambda: False, None)
    assert did == [1]


def test_work_is_done_by_whoever_has_the_claim_and_not_twice(path):
    did, waits = [], []
    other = Claim(path)
    assert other.take()
    claim = Claim(path, lambda: waits.append(1))
    assert not claim.once(lambda: did.append(1), lambda: False, None)
    threading.Timer(0.05, other.release).start()
    assert claim.once(lambda: did.append(1), lambda: False, 1.0)
    assert (did, waits, path.exists()) == ([1], [1], False)
    assert claim.once(lambda: did.append(2), lambda: True, None)
    assert did == [1]


def test_waiting_ends_with_the_work_with_the_claim_or_with_patience(path, monkeypatch):
    monkeypatch.setattr(claims, "_INTERVAL", 0.01)
    path.write_text("elsewhere 1")
    looks = []
    Claim(path).wait(1.0, lambda: looks.append(1) or len(looks) == 3)
    assert len(looks) == 3
    threading.Timer(0.05, path.unlink).start()
    Claim(path).wait(1.0, lambda: False)
    assert not path.exists()
    path.write_text("elsewhere 1")
    monkeypatch.setattr(claims, "_PATIENCE", 0.0)
    before = time.monotonic()
    Claim(path).wait(0.02, lambda: False)
    assert time.monotonic() - before >= 0.04
    path.write_text(f"{platform.node()} {ended()}")
    Claim(path).wait(10**6, lambda: False)
