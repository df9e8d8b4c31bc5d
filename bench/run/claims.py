"""What a run is at, told to other runs on the same store so that they take something else meanwhile.

A claim is a file that its owner touches for as long as it works. One that nobody touches any more, or whose owner ran
on this machine and has ended, is taken over: a run that died holds up nobody for more than a minute. Nothing depends on
a claim but the time that working twice would cost.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

#: Seconds between two touches of a claim, after which an untouched one is dead, and between two looks at another's.
_BEAT, _DEAD, _LOOK = 5.0, 60.0, 0.5


class Claim:
    """A claim of one's own: a context that keeps it fresh, and takes it back at its end."""

    def __init__(self, path: Path, token: str) -> None:
        self._path, self._token = path, token
        self._over = threading.Event()

    def __enter__(self) -> None:
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while not self._over.wait(_BEAT):
            with suppress(OSError):
                os.utime(self._path)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        with suppress(OSError):
            if self._path.read_text(encoding="utf-8") == self._token:
                self._path.unlink()


class Claims:
    """The claims of one process, and what it has seen of those of others."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._seen: dict[Path, tuple[str, float, float]] = {}
        self._told: set[Path] = set()

    def take(self, path: Path, title: str, patient: bool = False) -> Claim | None:
        """A claim on a piece of work; None where another run is at it.

        ``patient`` is who has nothing else to do: it is told so once, and looks again after a moment. Where no file can
        be written nothing is claimed, and the work itself will say why.
        """
        token = f"{platform.node()} {os.getpid()} {uuid.uuid4().hex}"
        if _write(path, token) or (self._remove_dead(path) and _write(path, token)):
            return Claim(path, token)
        if patient:
            if path not in self._told:
                self._told.add(path)
                self._note(f"waiting for another run on this store: {title}")
            time.sleep(_LOOK)
        return None

    def _remove_dead(self, path: Path) -> bool:
        """Whether a claim was taken away, as its owner has ended or has not touched it while we looked.

        No two machines' clocks are compared: what counts is how long the file has stayed the same.
        """
        try:
            text, touched = path.read_text(encoding="utf-8"), path.stat().st_mtime
        except OSError:
            return False  # Gone: the next look finds it free.
        before = self._seen.get(path)
        if before is None or before[:2] != (text, touched):
            self._seen[path] = (text, touched, time.monotonic())
        idle = time.monotonic() - self._seen[path][2]
        return (_has_ended(text) or idle > _DEAD) and _take_away(path, text)


def _has_ended(text: str) -> bool:
    host, _, rest = text.partition(" ")
    number = rest.partition(" ")[0]
    if host != platform.node() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # Another user's.
        return False
    return False


def _write(path: Path, token: str) -> bool:
    """Whether the claim is ours; where nothing can be written nobody has one, and all may work."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return True
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(token)
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


def _take_away(path: Path, text: str) -> bool:
    """Remove a dead claim of that text; False where another run was faster."""
    away = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        path.rename(away)
        if away.read_text(encoding="utf-8") != text:  # Another has taken it over between our look and now.
            away.rename(path)
            return False
        away.unlink()
    except OSError:
        return False
    return True
