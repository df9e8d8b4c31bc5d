"""A lock is held by one run at a time, and is free as soon as its owner has exited, however it did."""

import subprocess
import sys

import pytest

from bench.execution import locks
from bench.execution.locks import Locks


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_RETRY_SECONDS", 0.0)
    return tmp_path / "folder" / "chunk.lock"


@pytest.fixture
def one():
    return Locks(lambda _: None)


@pytest.fixture
def other():
    return Locks(lambda _: None)


def test_one_run_at_a_time_holds_a_lock(path, one, other):
    lock = one.acquire(path, "maps")
    assert other.acquire(path, "maps") is None
    with lock:
        assert other.acquire(path, "maps", wait=True) is None
    assert not path.exists()
    again = other.acquire(path, "maps")
    assert again is not None
    with again:
        assert one.acquire(path, "maps") is None


def test_a_lock_is_released_by_a_failure_inside(path, one, other):
    with pytest.raises(ValueError, match="broken"), one.acquire(path, "maps"):
        raise ValueError("broken")
    assert other.acquire(path, "maps") is not None


def test_the_lock_of_a_killed_process_is_free_at_once(path, one):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom bench.execution.locks import Locks\n"
        "with Locks(print).acquire(Path(sys.argv[1]), 'maps'):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    assert one.acquire(path, "maps") is None
    process.kill()
    process.wait()
    assert one.acquire(path, "maps") is not None


def test_waiting_is_noted_once(path, other):
    notes = []
    mine = Locks(notes.append)
    held = other.acquire(path, "maps")
    for _ in range(3):
        assert mine.acquire(path, "maps", wait=True) is None
    assert notes == ["waiting for another run on this store: maps"]
    with held:
        pass


def test_without_a_lock_file_the_work_goes_on(tmp_path, one):
    (tmp_path / "file").write_text("")
    with one.acquire(tmp_path / "file" / "sub" / "chunk.lock", "maps"):
        pass
    assert (tmp_path / "file").read_text() == ""
