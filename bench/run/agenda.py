"""What is to be done next: units in an order in which they can be done, their progress, and what failed of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.progress import Progress
from bench.run.units import Chunk, Trial, Unit


class Agenda:
    """Hands out units. A recipe's chunks wait for the recipes it stands on; trials wait for all that they read."""

    def __init__(self, units: Sequence[Unit], progress: Progress, failed: Mapping[str, str]) -> None:
        self.units, self._progress = list(units), progress
        self.planned = len(self.units)  # Those after came up on the way.
        self.failed = dict(failed)
        self._chunks: dict[str, deque[tuple[int, Chunk]]] = {}
        self._trials: list[tuple[int, Trial]] = []
        self.put_back: set[int] = set()  # Places of units that another run on the store was at.
        self._left: Counter[str] = Counter()
        self._bars: dict[str, _Bar] = {}
        for place, unit in enumerate(units):
            if isinstance(unit, Chunk):
                self._chunks.setdefault(unit.recipe, deque()).append((place, unit))
                self._left[unit.recipe] += 1
            else:
                self._trials.append((place, unit))
            title, size = _bar(unit)
            self._bars.setdefault(title, _Bar()).total += size

    def _ready(self, after: Iterable[str]) -> bool:
        return not any(self._left[key] for key in after)

    def take(self, engine: str = "", elsewhere: Iterable[str] = ()) -> int | None:
        """The place of a unit that can be done now, or None; ``engine`` is what the asker has loaded.

        Chunks go before trials, which wait for them. Of the chunks, those whose engine others have loaded
        (``elsewhere``) are taken up last: loading it a second time buys the least. What was put off comes after all.
        """
        others = set(elsewhere)
        self._drop_blocked()
        ready = [places[0] for places in self._chunks.values() if self._ready(places[0][1].after)]
        fresh = [(place, unit) for place, unit in ready if place not in self.put_back]
        if fresh:
            return self._pop(min(fresh, key=lambda entry: (entry[1].engine != engine, entry[1].engine in others))[1])
        trials = [entry for entry in self._trials if self._ready(entry[1].after)]
        trials.sort(key=lambda entry: entry[0] in self.put_back)
        if trials and (trials[0][0] not in self.put_back or not ready):
            self._trials.remove(trials[0])
            return self._started(*trials[0])
        return self._pop(ready[0][1]) if ready else None

    def _pop(self, chunk: Chunk) -> int:
        place, unit = self._chunks[chunk.recipe].popleft()
        if not self._chunks[chunk.recipe]:
            del self._chunks[chunk.recipe]
        return self._started(place, unit)

    def _drop_blocked(self) -> None:
        """Give up the chunks of recipes that have failed, or that stand on one that has."""
        for key, places in list(self._chunks.items()):
            reason = next((self.failed[name] for name in (key, *places[0][1].after) if name in self.failed), None)
            if reason is not None:
                self.failed[key] = reason
                del self._chunks[key]
                for _, unit in places:
                    self._left[unit.recipe] -= 1
                    self._bars[unit.title].total -= unit.images
                self._close(self._bars[places[0][1].title])

    def _started(self, place: int, unit: Unit) -> int:
        title, _ = _bar(unit)
        bar = self._bars[title]
        if bar.stage is None:
            bar.stage = self._progress.begin(title, bar.total)
            self._progress.advance(bar.stage, bar.done)
        return place

    def again(self, place: int) -> None:
        """A unit that was taken came to nothing: it can be taken once more."""
        unit = self.units[place]
        front = 0 if place not in self.put_back else len(self.units)
        if isinstance(unit, Trial):
            self._trials.insert(front, (place, unit))
        else:
            self._chunks.setdefault(unit.recipe, deque()).insert(front, (place, unit))

    def replace(self, place: int, parts: Sequence[Chunk]) -> None:
        """A chunk that was taken is to be done in parts: each can be taken on its own."""
        unit = self.units[place]
        if isinstance(unit, Chunk):
            self._left[unit.recipe] += len(parts) - 1
            for part in parts:
                self.units.append(part)
                self._chunks.setdefault(part.recipe, deque()).append((len(self.units) - 1, part))

    @property
    def waiting(self) -> int:
        """How many units nobody has taken."""
        return len(self._trials) + sum(map(len, self._chunks.values()))

    def finished(self, place: int, failed: Mapping[str, str], put_off: bool = False) -> None:
        """A unit that was taken is done, or has failed; one that is ``put_off`` comes up again, last."""
        unit = self.units[place]
        if put_off:
            self.put_back.add(place)
            self.again(place)
            return
        self.failed.update(failed)
        if isinstance(unit, Chunk):
            self._left[unit.recipe] -= 1
        title, size = _bar(unit)
        bar = self._bars[title]
        bar.done += size
        if bar.stage is not None:
            self._progress.advance(bar.stage, size)
        self._close(bar)

    def _close(self, bar: _Bar) -> None:
        if bar.stage is not None and bar.done == bar.total:
            self._progress.end(bar.stage)
            bar.stage = None

    def close(self) -> None:
        """Close what an interruption left open."""
        for bar in self._bars.values():
            if bar.stage is not None:
                self._progress.end(bar.stage)
                bar.stage = None


@dataclass
class _Bar:
    """One bar of progress: all units of one title."""

    total: int = 0
    done: int = 0
    stage: int | None = None


def _bar(unit: Unit) -> tuple[str, int]:
    """The title of the bar that a unit belongs to, and how far it moves it."""
    return (unit.title, unit.images) if isinstance(unit, Chunk) else ("fits with their scores", 1)
