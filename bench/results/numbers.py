"""Every number of a setting: its cells, their averages over subsets and all images pooled, for each seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.metrics import classification, seeds
from bench.metrics.intervals import MIN_PER_CLASS
from bench.metrics.seeds import Seeds
from bench.recipe import content_key
from bench.results import scored
from bench.results.folder import Entry
from bench.results.scored import Key, Scored
from bench.types import OK

#: The mean over the subsets of a joint training source; of one subset there is none.
JOINT = "mean:source"
#: Averages over subsets, with the relations that each includes.
AGGREGATES = {
    "mean:all": ("source", "family", "out"),
    JOINT: ("source",),
    "mean:family": ("family",),
    "mean:out": ("out",),
}


@dataclass(frozen=True)
class Sizes:
    """Images behind a number: reals and fakes."""

    real: int
    fake: int

    @property
    def enough(self) -> bool:
        """Whether they are enough for an interval."""
        return min(self.real, self.fake) >= MIN_PER_CLASS


@dataclass(frozen=True)
class Number:
    """All metrics of one seed on one subset, or of an average: values, and those of bootstrap samples.

    ``listed`` counts the images of the slices. ``cell`` has the scores, or is None for an average; a hole has no
    values.
    """

    entry: Entry
    sizes: Sizes
    listed: int
    values: Mapping[Key, float]
    seeds: Mapping[Key, Seeds]
    cell: Scored | None = None


def _of_cell(cell: Scored) -> Number:
    found = {key: seeds.one(cell.values[key], drawn) for key, drawn in cell.draws.items()}
    return Number(cell.entry, Sizes(cell.n_real, cell.n_fake), len(cell.listed), cell.values, found, cell)


def _aggregate_entry(members: Sequence[Entry], subset: str) -> Entry:
    holes = [member for member in members if member.status != OK]
    reason = f"no average without {', '.join(sorted(hole.subset for hole in holes))}" if holes else ""
    return replace(
        members[0],
        subset=subset,
        relation="",
        status="blocked" if holes else OK,
        reason=reason,
        key=content_key(sorted(member.key for member in members)),
        fit=next((member.fit for member in members if member.fit), ""),
    )


def _mean(members: Sequence[Number], subset: str) -> Number:
    entry = _aggregate_entry([member.entry for member in members], subset)
    sizes = Sizes(sum(m.sizes.real for m in members), sum(m.sizes.fake for m in members))
    listed = sum(member.listed for member in members)
    if entry.status != OK:
        return Number(entry, sizes, listed, {}, {})
    shared = [key for key in classification.names() if all(key in member.values for member in members)]
    values = {key: float(np.mean([member.values[key] for member in members])) for key in shared}
    drawn = [key for key in shared if key in members[0].seeds]
    found = {key: seeds.mean([member.seeds[key] for member in members]) for key in drawn}
    return Number(entry, sizes, listed, values, found)


def averages(members: Sequence[Number], beside: Collection[tuple[str, str]]) -> list[Number]:
    """The means over subsets by relation; a mean without subsets is left out.

    ``beside`` are the subsets, as (dataset, subset), that belong to no mean.
    """
    averaged = [m for m in members if (m.entry.dataset, m.entry.subset) not in beside]
    found = {title: [m for m in averaged if m.entry.relation in relations] for title, relations in AGGREGATES.items()}
    return [_mean(group, title) for title, group in found.items() if len(group) > (title == JOINT)]


def _pool(cells: Sequence[Scored]) -> Scored:
    """All images of one seed's cells as one cell; a hole if one of them is one."""
    entry = _aggregate_entry([cell.entry for cell in cells], "pooled")
    return scored.pooled(cells, entry)


def of_setting(cells: Iterable[Scored], beside: Collection[tuple[str, str]] = ()) -> list[list[Number]]:
    """The numbers of every seed of every method of a setting, in the order of the cells; averages are last.

    ``beside`` as in :func:`averages`.
    """
    groups: dict[tuple[str, str, int], list[Scored]] = defaultdict(list)
    for cell in cells:
        groups[cell.entry.method, cell.entry.variant, cell.entry.seed].append(cell)
    detects = [group[0].entry.task == "detect" for group in groups.values()]  # Attribution has only one slice.
    pooled = [[*group, _pool(group)] if d else group for group, d in zip(groups.values(), detects, strict=True)]
    drawn = iter(scored.resampled([cell for group in pooled for cell in group]))
    found = []
    for group, detect in zip(groups.values(), detects, strict=True):
        members = [_of_cell(next(drawn)) for _ in group]
        found.append([*members, *averages(members, beside), _of_cell(next(drawn))] if detect else members)
    return found
