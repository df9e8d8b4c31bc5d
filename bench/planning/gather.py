"""Make the slices of a request from its folders: list, draw, read, and keep test images out of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import discover
from bench.data import splits
from bench.data.dataset import Split
from bench.data.files import describe, printable
from bench.data.index import Index
from bench.errors import UserError
from bench.planning.request import Request
from bench.planning.sources import ATTRIBUTION, TRAIN_DATASET, Source, joint_name
from bench.progress import Progress
from bench.types import FAKE, OK, REAL, Item, Slice

#: Training and validation slices by the name of a subset or attribution source.
Draw = tuple[dict[str, Slice], dict[str, Slice]]


@dataclass(frozen=True)
class Gathered:
    """The raw slices of a request: test slices by (dataset, subset), training and validation slices by subset.

    The slices of an attribution source are stored under the source's name, validation slices of a joint source under
    :func:`~bench.planning.sources.joint_name`. ``unusable`` maps the key of a slice to the reason why it cannot be
    used; ``passed`` counts what is in a split's folders but is not an image, by kind. ``draws`` has the training and
    validation slices by seed where seeds draw them.
    """

    tests: dict[tuple[str, str], Slice]
    train: dict[str, Slice]
    val: dict[str, Slice]
    unusable: dict[str, str] = field(default_factory=dict)
    passed: dict[str, dict[str, int]] = field(default_factory=dict)
    draws: dict[int, Draw] = field(default_factory=dict)

    def drawn(self, seed: int) -> Draw:
        """The training and validation slices of a seed."""
        return self.draws.get(seed, (self.train, self.val))


def _labelled(item: Item, label: int | None) -> Item:
    return item if item.label == label else replace(item, label=label)


class _Images:
    """The images of every split that a request names: listed once, read when drawn."""

    def __init__(self, request: Request, index: Index, progress: Progress) -> None:
        self._request, self._index, self._progress = request, index, progress
        self._pools: dict[tuple[str, str, Split], splits.Pool] = {}
        self._read: dict[Split, dict[str, Item]] = {"train": {}, "test": {}}

    def listed(self, dataset: str, subset: str, split: Split) -> list[Item]:
        """The images of a split, not read yet."""
        key = (dataset, subset, split)
        if key not in self._pools:
            folders, root = self._request.folders[dataset][subset], self._request.roots[dataset]
            self._pools[key] = splits.pool(discover.dataset(dataset), root, folders, split)
        return self._pools[key].items

    def of(self, source: Source, split: Split) -> list[Item]:
        """Generated images only: the target's with label 1, those of all other generators with label 0."""
        return [
            replace(item, label=int(name == source.target))
            for name in source.subsets
            for item in self.listed(TRAIN_DATASET, name, split)
            if item.label == FAKE
        ]

    def read(self, drawn: Iterable[Item], split: Split) -> None:
        """Read what is drawn of a split."""
        distinct = {item.row_id: item for item in drawn}.values()
        self._read[split] |= {item.row_id: item for item in splits.read(distinct, self._index, self._progress)}

    def contradictions(self, drawn: Iterable[Item], split: Split) -> dict[str, str]:
        """Reasons against drawn images that are there with both labels, as their folders give them, by image id."""
        labels = {i.row_id: i.label for key, p in self._pools.items() if key[2] == split for i in p.items}
        known = self._read[split]
        return splits.contradictions([[_labelled(known[i.row_id], labels[i.row_id]) for i in drawn]])

    def slice(self, name: tuple[str, str, str], drawn: Iterable[Item], split: Split, bad: Mapping[str, str]) -> Slice:
        """A slice (dataset, subset, role) of drawn images with their facts; those in ``bad`` are quarantined."""
        known, (dataset, subset, role) = self._read[split], name
        items = [_labelled(known[item.row_id], item.label) for item in drawn]
        members = splits.without_contradictions(items, bad)
        if dataset == ATTRIBUTION:
            names = ("another generator's", f"{subset}'s")
            members = splits.without_contradictions(members, splits.contradictions([members], names))
        return Slice(dataset, subset, role, splits.in_order(members))

    def passed(self) -> dict[str, dict[str, int]]:
        """Counts of what is not an image, by split and kind."""
        return {"-".join(key): dict(pool.passed) for key, pool in self._pools.items() if pool.passed}


def _tests(request: Request, images: _Images) -> dict[tuple[str, str], Slice]:
    """The test slices of a request."""
    places: dict[tuple[str, str], tuple[str, list[Item]]] = {}
    if any(not source.target for source in request.sources) or not request.sources:
        places = {(name, subset): (subset, images.listed(name, subset, "test")) for name, subset in request.tests}
    for source in request.sources:
        if source.target:
            places[ATTRIBUTION, source.name] = source.target, images.of(source, "test")
    limits = request.limits
    drawn = {key: splits.drawn(items, limits.seed, limits.test) for key, (_, items) in places.items()}
    everything = [item for items in drawn.values() for item in items]
    images.read(everything, "test")
    bad = images.contradictions(everything, "test")
    return {key: images.slice((key[0], places[key][0], "test"), items, "test", bad) for key, items in drawn.items()}


def _training(request: Request, images: _Images, tests: Iterable[Slice]) -> dict[int, Draw]:
    """The training and validation slices of every seed that draws its own, without copies of test images."""
    places: dict[str, tuple[str, str, list[Item]]] = {}
    for source in request.sources:
        if source.target:
            places[source.name] = ATTRIBUTION, source.target, images.of(source, "train")
            continue
        places |= {name: (TRAIN_DATASET, name, images.listed(TRAIN_DATASET, name, "train")) for name in source.subsets}
    limits = request.limits
    seeds = request.seeds if "subset" in request.suite.seeds_draw else (limits.seed,)
    drawn = {
        seed: {name: splits.divided(items, replace(limits, seed=seed)) for name, (_, _, items) in places.items()}
        for seed in seeds
    }
    images.read((i for draw in drawn.values() for parts in draw.values() for part in parts for i in part), "train")
    tested, draws = list(tests), dict[int, Draw]()
    for seed, draw in drawn.items():
        bad = images.contradictions((i for parts in draw.values() for part in parts for i in part), "train")
        train, val = dict[str, Slice](), dict[str, Slice]()
        for name, (dataset, subset, _) in places.items():
            first, second = draw[name]
            part = images.slice((dataset, subset, "train"), first, "train", bad)
            train[name] = splits.without_copies(part, tested)
            held_out = splits.without_copies(images.slice((dataset, subset, "val"), second, "train", bad), tested)
            val[name] = splits.without_copies(held_out, [train[name]], same_label=True)
        for source in request.sources:
            for subset in source.subsets if len(source.subsets) > 1 and not source.target else ():
                others = [train[name] for name in source.subsets if name != subset]
                val[joint_name(source, subset)] = splits.without_copies(val[subset], others, same_label=True)
        draws[seed] = train, val
    return draws


def gather(request: Request, index_folder: Path, progress: Progress) -> Gathered:
    """Draw the slices of a request and read them. Raises UserError if no training or no test slice is usable."""
    images = _Images(request, Index(index_folder), progress)
    tests = _tests(request, images)
    draws = _training(request, images, tests.values())
    train, val = next(iter(draws.values()))
    parts = [*tests.values(), *(part for draw in draws.values() for members in draw for part in members.values())]
    gathered = Gathered(tests, train, val, _unusable(parts), images.passed(), draws)
    _report(gathered, parts, progress)
    return gathered


def _unusable(parts: Iterable[Slice]) -> dict[str, str]:
    """Why a slice has only one class, by its key."""
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
                reasons.setdefault(part.key, f"{part.name}{held_out} has no readable {name}: {files}.")
    return reasons


def _report(gathered: Gathered, read: Iterable[Slice], progress: Progress) -> None:
    """Report what is quarantined, passed over and unusable. Raises UserError if nothing can be trained or tested."""
    for part in {part.key: part for part in read}.values():
        bad = [item for item in part.items if item.status != OK]
        for item in bad[:5]:
            progress.warn(f"quarantined {printable(item.path)}: {item.reason}")
        if len(bad) > 5:
            progress.warn(f"quarantined {len(bad) - 5} more in {part.name}")
    for name, passed in gathered.passed.items():
        progress.warn(f"passed over in {name}: {describe(passed)}")
    for reason in dict.fromkeys(gathered.unusable.values()):
        progress.warn(f"left out: {reason}")
    pairs = [(gathered.train[name], gathered.val[name]) for name in gathered.train]
    for parts in ([(part,) for part in gathered.tests.values()], pairs):
        reasons = [[gathered.unusable[p.key] for p in group if p.key in gathered.unusable] for group in parts]
        if parts and all(reasons):
            raise UserError(
                reasons[0][0],
                "No other subset was requested." if len(parts) == 1 else "The other subsets are unusable too.",
                "Replace the quarantined files, add images, or leave the subset out with --train or --test.",
            )
