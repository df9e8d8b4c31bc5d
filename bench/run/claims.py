"""What a run is at, told to other runs on the same store so that they take something else meanwhile.

A claim is a hint and nobody waits on it for ever: what a claimer that died has left is made by whoever comes to it, and
what two have made is the same bytes twice.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

#: Seconds that a claim is respected at the least, however fast its work should be: engines have to be loaded.
_PATIENCE = 20.0
_INTERVAL = 0.5


class Claim:
    """A file that names who is at a piece of work; there while its owner is."""

    def __init__(self, path: Path, tell_waiting: Callable[[], None] = lambda: None) -> None:
        self._path, self._tell_waiting = path, tell_waiting

    def take(self) -> bool:
        """Claim the work; False where another run that may be alive has claimed it.

        Where no file can be written there is no claim, and the work itself will say why.
        """
        with suppress(FileExistsError):
            return self._write()
        if not self._is_dead():
            return False
        self.release()
        with suppress(FileExistsError):
            return self._write()
        return False

    def _write(self) -> bool:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("x", encoding="utf-8") as file:
                file.write(f"{platform.node()} {os.getpid()}")
        except FileExistsError:
            raise
        except OSError:
            return True
        return True

    def release(self) -> None:
        """Take the claim back, and one that was waited for in vain."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def wait(self, seconds: float, done: Callable[[], bool]) -> None:
        """Wait until the work is done, its claimer gone, or the claim older than twice the estimated ``seconds``."""
        patience = max(_PATIENCE, 2 * seconds)
        end = time.monotonic() + patience - max(self._age(), 0.0)
        while self._path.exists() and not self._is_dead() and not done() and time.monotonic() < end:
            time.sleep(_INTERVAL)

    def _age(self) -> float:
        """Seconds since the claim was written, by this machine's clock; 0 where it is gone."""
        with suppress(OSError):
            return time.time() - self._path.stat().st_mtime
        return 0.0

    def once(self, work: Callable[[], None], done: Callable[[], bool], patience: float | None) -> bool:
        """Do ``work`` unless it is ``done``; False where another run is at it.

        With ``patience``, the estimated seconds of the work, that run is waited for instead, but not for ever.
        """
        if not self.take():
            if patience is None:
                return False
            self._tell_waiting()
            self.wait(patience, done)
        try:
            if not done():
                work()
        finally:
            self.release()
        return True

    def _is_dead(self) -> bool:
        """Whether the claimer ran on this machine and has ended; of another machine nothing is known."""
        try:
            host, number = self._path.read_text(encoding="utf-8").rsplit(" ", 1)
            if host == platform.node():
                os.kill(int(number), 0)
        except ProcessLookupError:
            return True
        except (OSError, ValueError):  # Gone, another user's, or being written.
            return False
        return False
