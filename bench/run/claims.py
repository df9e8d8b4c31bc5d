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

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> bool:
        """Claim the work; False where another run that may be alive has claimed it."""
        for _ in range(2):
            with suppress(FileExistsError):
                file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
                os.write(file, f"{platform.node()} {os.getpid()}".encode())
                os.close(file)
                return True
            if not self._is_dead():
                return False
            self._path.unlink(missing_ok=True)
        return False

    def release(self) -> None:
        """Take the claim back, and one that was waited for in vain."""
        self._path.unlink(missing_ok=True)

    def wait(self, seconds: float, done: Callable[[], bool]) -> None:
        """Wait until the work is done, its claimer gone, or twice its estimated ``seconds`` over."""
        end = time.monotonic() + max(_PATIENCE, 2 * seconds)
        while self._path.exists() and not self._is_dead() and not done() and time.monotonic() < end:
            time.sleep(_INTERVAL)

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
