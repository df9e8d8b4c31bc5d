"""From folders to the slices of a request: scan, draw, split, and keep test images out of training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import discover
from bench.data import splits
from bench.data.dataset import Split
from bench.data.files import describe, printable
from bench.data.index import Index
from bench.errors import UserError
from bench.planning.request import Request
from bench.planning.sources import ATTRIBUTION, TRAIN_DATASET, Source
from bench.progress import Progress
from bench.types import FAKE, OK, REAL, Item, Slice


@dataclass(frozen=True)
class Gathered:
    """The raw slices of a request: test slices by (dataset, subset), training and validation slices by subset.

    The slices of a source that tells generators apart are found under its own name. ``unusable`` says of a slice, by
    its name, why nothing can be made of it; ``passed`` what lies in a split's folders that is no image, by kind.
    """

    tests: dict[tuple[str, str], Slice]
    train: dict[str, Slice]
    val: dict[str, Slice]
    unusable: dict[str, str] = field(default_factory=dict)
    passed: dict[str, dict[str, int]] = field(default_factory=dict)


class _Pools:
    """The images of every split that a request names, scanned once."""

    def __init__(self, request: Request, index: Index, progress: Progress) -> None:
        self._request, self._index, self._progress = request, index, progress
        self._known: dict[tuple[str, str, Split], splits.Pool] = {}
        self._told: dict[Split, dict[str, str]] = {}

    def scan(self, places: Iterable[tuple[str, str]], split: Split) -> None:
        """Scan a split of some subsets, and find the images that it lists with two labels."""
        for dataset, subset in dict.fromkeys(places):
            folders, root = self._request.folders[dataset][subset], self._request.roots[dataset]
            found = splits.pool(discover.dataset(dataset), root, folders, split, self._index, self._progress)
            self._known[dataset, subset, split] = found
        pools = [found.items for (_, _, other), found in self._known.items() if other == split]
        self._told[split] = splits.contradictions(pools)

    def items(self, dataset: str, subset: str, split: Split) -> list[Item]:
        """The images of a split; those with two labels are quarantined."""
        return splits.without_contradictions(self._known[dataset, subset, split].items, self._told[split])

    def passed(self) -> dict[str, dict[str, int]]:
        """What is no image, by split and kind."""
        return {"-".join(place): dict(found.passed) for place, found in self._known.items() if found.passed}


def gather(request: Request, index_folder: Path, progress: Progress) -> Gathered:
    """Scan what the request names and draw its slices. Raises UserError where no training or test slice is usable."""
    pools = _Pools(request, Index(index_folder), progress)
    telling = [source for source in request.sources if source.target]
    detecting = dict.fromkeys(name for source in request.sources if not source.target for name in source.subsets)
    apart = dict.fromkeys((TRAIN_DATASET, name) for source in telling for name in source.subsets)
    pools.scan([*(request.tests if detecting else ()), *apart], "test")
    pools.scan([*((TRAIN_DATASET, name) for name in detecting), *apart], "train")
    tests = {
        (dataset, subset): splits.test_slice(dataset, subset, pools.items(dataset, subset, "test"), request.limits)
        for dataset, subset in (request.tests if detecting else ())
    }
    for source in telling:
        members = _told_apart(source, pools, "test")
        tests[ATTRIBUTION, source.name] = splits.test_slice(ATTRIBUTION, source.target, members, request.limits)
    seen = {item.image_id: part.name for part in tests.values() for item in part.usable}
    pairs = {
        name: splits.train_slices(TRAIN_DATASET, name, pools.items(TRAIN_DATASET, name, "train"), request.limits)
        for name in detecting
    }
    for source in telling:
        members = _told_apart(source, pools, "train")
        pairs[source.name] = splits.train_slices(ATTRIBUTION, source.target, members, request.limits)
    train, val = (
        {name: splits.without_test_images(pair[place], seen) for name, pair in pairs.items()} for place in (0, 1)
    )
    parts = (*tests.values(), *train.values(), *val.values())
    gathered = Gathered(tests, train, val, _unusable(parts), pools.passed())
    _report(gathered, progress)
    return gathered


def _told_apart(source: Source, pools: _Pools, split: Split) -> list[Item]:
    """Generated images alone: the target's with label 1, those of the other generators with label 0."""
    members = [
        replace(item, label=int(name == source.target))
        for name in source.subsets
        for item in pools.items(TRAIN_DATASET, name, split)
        if item.label == FAKE
    ]
    names = ("another generator's", f"{source.target}'s")
    return splits.without_contradictions(members, splits.contradictions([members], names))


def _unusable(parts: Iterable[Slice]) -> dict[str, str]:
    """Why a slice has only one class, by its name."""
    found: dict[str, str] = {}
    for part in parts:
        told_apart = part.dataset == ATTRIBUTION
        names = (
            ("image of another generator", f"image of {part.subset}") if told_apart else ("real image", "fake image")
        )
        for label, name in zip((REAL, FAKE), names, strict=True):
            if not part.count(label):
                listed = sum(item.label == label for item in part.items)
                files = f"none of the {listed} files listed can be used" if listed else "no file is listed"
                held = " (held out of its train folder)" if part.role == "val" else ""
                found.setdefault(part.name, f"{part.name}{held} has no readable {name}: {files}.")
    return found


def _report(gathered: Gathered, progress: Progress) -> None:
    """Name what is quarantined, passed over and unusable. Raises UserError where nothing can be trained or tested."""
    for part in (*gathered.tests.values(), *gathered.train.values(), *gathered.val.values()):
        bad = [item for item in part.items if item.status != OK]
        for item in bad[:5]:
            progress.warn(f"quarantined {printable(item.path)}: {item.reason}")
        if len(bad) > 5:
            progress.warn(f"quarantined {len(bad) - 5} more in {part.name}")
    for name, passed in gathered.passed.items():
        progress.warn(f"passed over in {name}: {describe(passed)}")
    for reason in gathered.unusable.values():
        progress.warn(f"left out: {reason}")
    pairs = [(gathered.train[name], gathered.val[name]) for name in gathered.train]
    for parts in ([(part,) for part in gathered.tests.values()], pairs):
        whys = [[gathered.unusable[p.name] for p in some if p.name in gathered.unusable] for some in parts]
        if parts and all(whys):
            raise UserError(
                whys[0][0],
                "Nothing else was asked for." if len(parts) == 1 else "The others are unusable too.",
                "Replace the quarantined files or add others, or leave the subset out with --train or --test.",
            )
