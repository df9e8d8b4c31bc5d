"""Make the slices of a request from its folders: scan, draw, split, and keep test images out of training."""

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

    The slices of an attribution source are stored under the source's name. ``unusable`` maps the name of a slice to the
    reason why it cannot be used; ``passed`` counts what is in a split's folders but is not an image, by kind.
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
        self._pools: dict[tuple[str, str, Split], splits.Pool] = {}
        self._contradictions: dict[Split, dict[str, str]] = {}

    def scan(self, subsets: Iterable[tuple[str, str]], split: Split) -> None:
        """Scan a split of (dataset, subset) pairs, and find the images that are listed with both labels."""
        for dataset, subset in dict.fromkeys(subsets):
            folders, root = self._request.folders[dataset][subset], self._request.roots[dataset]
            pool = splits.pool(discover.dataset(dataset), root, folders, split, self._index, self._progress)
            self._pools[dataset, subset, split] = pool
        pools = [pool.items for (_, _, pool_split), pool in self._pools.items() if pool_split == split]
        self._contradictions[split] = splits.contradictions(pools)

    def items(self, dataset: str, subset: str, split: Split) -> list[Item]:
        """The images of a split; those with both labels are quarantined."""
        return splits.without_contradictions(self._pools[dataset, subset, split].items, self._contradictions[split])

    def passed(self) -> dict[str, dict[str, int]]:
        """Counts of what is not an image, by split and kind."""
        return {"-".join(key): dict(pool.passed) for key, pool in self._pools.items() if pool.passed}


def gather(request: Request, index_folder: Path, progress: Progress) -> Gathered:
    """Scan the folders of a request and draw its slices. Raises UserError if no training or no test slice is usable."""
    pools = _Pools(request, Index(index_folder), progress)
    attributing = [source for source in request.sources if source.target]
    detecting = dict.fromkeys(name for source in request.sources if not source.target for name in source.subsets)
    attributed = dict.fromkeys((TRAIN_DATASET, name) for source in attributing for name in source.subsets)
    pools.scan([*(request.tests if detecting else ()), *attributed], "test")
    pools.scan([*((TRAIN_DATASET, name) for name in detecting), *attributed], "train")
    tests = {
        (dataset, subset): splits.test_slice(dataset, subset, pools.items(dataset, subset, "test"), request.limits)
        for dataset, subset in (request.tests if detecting else ())
    }
    for source in attributing:
        members = _attribution_items(source, pools, "test")
        tests[ATTRIBUTION, source.name] = splits.test_slice(ATTRIBUTION, source.target, members, request.limits)
    test_images = {item.image_id: part.name for part in tests.values() for item in part.usable}
    pairs = {
        name: splits.train_slices(TRAIN_DATASET, name, pools.items(TRAIN_DATASET, name, "train"), request.limits)
        for name in detecting
    }
    for source in attributing:
        members = _attribution_items(source, pools, "train")
        pairs[source.name] = splits.train_slices(ATTRIBUTION, source.target, members, request.limits)
    train, val = (
        {name: splits.without_test_images(pair[index], test_images) for name, pair in pairs.items()} for index in (0, 1)
    )
    parts = (*tests.values(), *train.values(), *val.values())
    gathered = Gathered(tests, train, val, _unusable(parts), pools.passed())
    _report(gathered, progress)
    return gathered


def _attribution_items(source: Source, pools: _Pools, split: Split) -> list[Item]:
    """Generated images only: the target's with label 1, those of all other generators with label 0."""
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
    reasons: dict[str, str] = {}
    for part in parts:
        attribution = part.dataset == ATTRIBUTION
        names = (
            ("image of another generator", f"image of {part.subset}") if attribution else ("real image", "fake image")
        )
        for label, name in zip((REAL, FAKE), names, strict=True):
            if not part.count(label):
                listed = sum(item.label == label for item in part.items)
                files = f"none of the {listed} files listed can be used" if listed else "no file is listed"
                held_out = " (held out of its train folder)" if part.role == "val" else ""
                reasons.setdefault(part.name, f"{part.name}{held_out} has no readable {name}: {files}.")
    return reasons


def _report(gathered: Gathered, progress: Progress) -> None:
    """Report what is quarantined, passed over and unusable. Raises UserError if nothing can be trained or tested."""
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
        reasons = [[gathered.unusable[p.name] for p in group if p.name in gathered.unusable] for group in parts]
        if parts and all(reasons):
            raise UserError(
                reasons[0][0],
                "No other subset was requested." if len(parts) == 1 else "The other subsets are unusable too.",
                "Replace the quarantined files, add images, or leave the subset out with --train or --test.",
            )
