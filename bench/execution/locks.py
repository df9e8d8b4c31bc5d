"""Locks on chunks and fits, so that runs that share a store do not compute the same thing twice.

A lock is held through :mod:`filelock` (``flock`` where the file system has it), so the kernel frees it when its owner
exits, however it exits. No result depends on a lock: without one, two runs may compute the same artefact, and the store
keeps both copies of the same record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

#: Seconds between two attempts to take a lock that another run holds.
_RETRY_SECONDS = 0.5


class Locks:
    """Takes the locks of one process; ``note`` receives a line when the process starts to wait for another run."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._announced: set[Path] = set()

    def acquire(self, path: Path, title: str, wait: bool = False) -> AbstractContextManager[None] | None:
        """The lock on a piece of work, to be used as a context; None if another run holds it.

        With ``wait`` the caller has nothing else to do: None is returned after half a second, and it is noted once that
        ``title`` is being waited for. If no lock file can be written there is no lock; the work itself will then fail
        with the reason.
        """
        lock = FileLock(path, blocking=False, fallback_to_soft=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            if wait:
                self._announce(path, title)
                time.sleep(_RETRY_SECONDS)
            return None
        except OSError:
            return nullcontext()
        return _held(lock, path)

    def _announce(self, path: Path, title: str) -> None:
        if path not in self._announced:
            self._announced.add(path)
            self._note(f"waiting for another run on this store: {title}")


@contextmanager
def _held(lock: BaseFileLock, path: Path) -> Iterator[None]:
    """Hold a lock that has been acquired; its file is deleted before it is released.

    A process that opened the file before it was deleted finds the work done once it gets the lock.
    """
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        lock.release()
