"""Decide which unit runs next: keeps the units in an order that respects dependencies, their progress and failures."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.planning.units import Chunk, Trial, Unit
from bench.progress import Progress


class Scheduler:
    """Hands out units by their index in ``units``, the unit's id.

    A recipe's chunks wait for the recipes it depends on, a fit for every recipe that it reads. ``deferred`` units were
    taken once, but another run on the store was busy with them: they come last.
    """

    def __init__(self, units: Sequence[Unit], progress: Progress, failed: Mapping[str, str]) -> None:
        self.units = list(units)
        self.planned = len(self.units)  # Those after are halves of chunks.
        self.failed = dict(failed)
        self._chunks: dict[str, deque[tuple[int, Chunk]]] = {}
        self._trials: list[tuple[int, Trial]] = []
        self.deferred: set[int] = set()
        self._unfinished: Counter[str] = Counter()
        self._bars = _Bars(units, progress)
        for unit_id, unit in enumerate(units):
            if isinstance(unit, Chunk):
                self._chunks.setdefault(unit.recipe, deque()).append((unit_id, unit))
                self._unfinished[unit.recipe] += 1
            else:
                self._trials.append((unit_id, unit))

    def _ready(self, after: Iterable[str]) -> bool:
        return not any(self._unfinished[key] for key in after)

    def take(self, engine: str = "", elsewhere: Iterable[str] = ()) -> int | None:
        """The id of a unit that can be run now, or None; ``engine`` is the one that the caller has loaded.

        Chunks go before fits, which wait for them. Of the chunks, those whose engine other processes have loaded
        (``elsewhere``) go last: loading it a second time gains the least.
        """
        others = set(elsewhere)
        self._drop_blocked()
        ready = [queue[0] for queue in self._chunks.values() if self._ready(queue[0][1].after)]
        fresh = [(unit_id, unit) for unit_id, unit in ready if unit_id not in self.deferred]
        if fresh:
            return self._pop(min(fresh, key=lambda entry: (entry[1].engine != engine, entry[1].engine in others))[1])
        trials = [entry for entry in self._trials if self._ready(entry[1].after)]
        trials.sort(key=lambda entry: entry[0] in self.deferred)
        if trials and (trials[0][0] not in self.deferred or not ready):
            self._trials.remove(trials[0])
            return self._begin(*trials[0])
        return self._pop(ready[0][1]) if ready else None

    def _pop(self, chunk: Chunk) -> int:
        unit_id, unit = self._chunks[chunk.recipe].popleft()
        if not self._chunks[chunk.recipe]:
            del self._chunks[chunk.recipe]
        return self._begin(unit_id, unit)

    def _drop_blocked(self) -> None:
        """Drop the chunks of recipes that have failed, or that depend on one that has."""
        for key, queue in list(self._chunks.items()):
            reason = next((self.failed[name] for name in (key, *queue[0][1].after) if name in self.failed), None)
            if reason is not None:
                self.failed[key] = reason
                del self._chunks[key]
                for _, unit in queue:
                    self._unfinished[unit.recipe] -= 1
                    self._bars.drop(unit)

    def _begin(self, unit_id: int, unit: Unit) -> int:
        self._bars.begin(unit)
        return unit_id

    def return_unit(self, unit_id: int) -> None:
        """Return a unit that was taken and not finished: it is the next to be taken, or the last if it is deferred."""
        unit = self.units[unit_id]
        index = len(self.units) if unit_id in self.deferred else 0
        if isinstance(unit, Trial):
            self._trials.insert(index, (unit_id, unit))
        else:
            self._chunks.setdefault(unit.recipe, deque()).insert(index, (unit_id, unit))

    def defer(self, unit_id: int) -> None:
        """Return a unit that another run on the store is busy with."""
        self.deferred.add(unit_id)
        self.return_unit(unit_id)

    def replace(self, unit_id: int, parts: Sequence[Chunk]) -> None:
        """Replace a chunk that was taken by parts of it, each a unit of its own."""
        unit = self.units[unit_id]
        if isinstance(unit, Chunk):
            self._unfinished[unit.recipe] += len(parts) - 1
            for part in reversed(parts):
                self.units.append(part)
                self._chunks.setdefault(part.recipe, deque()).appendleft((len(self.units) - 1, part))

    @property
    def waiting(self) -> int:
        """Number of units that have not been taken."""
        return len(self._trials) + sum(map(len, self._chunks.values()))

    def check_finished(self) -> None:
        """Raise RuntimeError if units are left though nothing is running."""
        if self.waiting:
            raise RuntimeError(f"{self.waiting} units have unmet dependencies.")

    def finish(self, unit_id: int, failed: Mapping[str, str]) -> None:
        """Note that a unit that was taken is done; ``failed`` holds the reasons of what failed."""
        self.failed.update(failed)
        unit = self.units[unit_id]
        if isinstance(unit, Chunk):
            self._unfinished[unit.recipe] -= 1
        self._bars.advance(unit)

    def close(self) -> None:
        """Close the progress bars that an interruption left open."""
        self._bars.close()


@dataclass
class _Bar:
    """Progress of all units with one title; ``stage`` is None before the first begins and after the last ends."""

    total: int = 0
    done: int = 0
    stage: int | None = None


class _Bars:
    """Progress bars of units: one per kind of artefact, and one for all fits."""

    def __init__(self, units: Iterable[Unit], progress: Progress) -> None:
        self._progress = progress
        self._bars: defaultdict[str, _Bar] = defaultdict(_Bar)
        for unit in units:
            title, size = _title_and_size(unit)
            self._bars[title].total += size

    def begin(self, unit: Unit) -> None:
        """Open a unit's bar unless it is open."""
        title, _ = _title_and_size(unit)
        bar = self._bars[title]
        if bar.stage is None:
            bar.stage = self._progress.begin(title, bar.total)
            self._progress.advance(bar.stage, bar.done)

    def advance(self, unit: Unit) -> None:
        """Count a unit as done."""
        title, size = _title_and_size(unit)
        bar = self._bars[title]
        bar.done += size
        if bar.stage is not None:
            self._progress.advance(bar.stage, size)
        self._end_if_full(bar)

    def drop(self, unit: Unit) -> None:
        """Remove a unit that will never run from its bar's total."""
        title, size = _title_and_size(unit)
        self._bars[title].total -= size
        self._end_if_full(self._bars[title])

    def _end_if_full(self, bar: _Bar) -> None:
        if bar.done >= bar.total:
            self._end(bar)

    def _end(self, bar: _Bar) -> None:
        if bar.stage is not None:
            self._progress.end(bar.stage)
            bar.stage = None

    def close(self) -> None:
        """End every open bar."""
        for bar in self._bars.values():
            self._end(bar)


def _title_and_size(unit: Unit) -> tuple[str, int]:
    return (unit.title, unit.images) if isinstance(unit, Chunk) else ("fits with their scores", 1)
