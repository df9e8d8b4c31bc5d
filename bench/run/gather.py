"""From folders to the slices of a request: scan, draw, split, and keep test images out of training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bench import discover
from bench.data import draw
from bench.data.corpus import Split
from bench.data.index import Index
from bench.errors import UserError
from bench.progress import Progress
from bench.run.request import Request
from bench.run.sources import ATTRIBUTION, TRAIN_CORPUS, Source
from bench.types import FAKE, OK, REAL, Item, Slice


@dataclass(frozen=True)
class Gathered:
    """The raw slices of a request: test slices by (corpus, subset), training and validation slices by subset.

    The slices of a source that tells generators apart are found under its own name.
    """

    tests: dict[tuple[str, str], Slice]
    train: dict[str, Slice]
    val: dict[str, Slice]


def gather(request: Request, index_folder: Path, progress: Progress) -> Gathered:
    """Scan what the request names and draw its slices. Raises UserError where a class has no readable image."""
    index = Index(index_folder)

    def pool(corpus: str, subset: str, split: Split) -> list[Item]:
        folders = request.folders[corpus][subset]
        return draw.items(discover.corpus(corpus), request.roots[corpus], folders, split, index, progress)

    telling = [source for source in request.sources if source.target]
    detecting = dict.fromkeys(name for source in request.sources if not source.target for name in source.subsets)
    tests = {
        (corpus, subset): draw.test_slice(corpus, subset, pool(corpus, subset, "test"), request.limits)
        for corpus, subset in (request.tests if detecting else ())
    }
    for source in telling:
        members = _told_apart(source, [(name, pool(TRAIN_CORPUS, name, "test")) for name in source.subsets])
        tests[ATTRIBUTION, source.name] = draw.test_slice(ATTRIBUTION, source.target, members, request.limits)
    seen = {item.image_id: part.name for part in tests.values() for item in part.usable}
    pairs = {
        name: draw.train_slices(TRAIN_CORPUS, name, pool(TRAIN_CORPUS, name, "train"), request.limits)
        for name in detecting
    }
    for source in telling:
        members = _told_apart(source, [(name, pool(TRAIN_CORPUS, name, "train")) for name in source.subsets])
        pairs[source.name] = draw.train_slices(ATTRIBUTION, source.target, members, request.limits)
    train, val = (
        {name: draw.without_test_images(pair[place], seen) for name, pair in pairs.items()} for place in (0, 1)
    )
    gathered = Gathered(tests, train, val)
    _check(gathered, progress)
    return gathered


def _told_apart(source: Source, pools: list[tuple[str, list[Item]]]) -> list[Item]:
    """Generated images alone: the target's with label 1, those of the other generators with label 0."""
    return [
        replace(item, label=int(name == source.target)) for name, pool in pools for item in pool if item.label == FAKE
    ]


def _check(gathered: Gathered, progress: Progress) -> None:
    for part in (*gathered.tests.values(), *gathered.train.values(), *gathered.val.values()):
        bad = [item for item in part.items if item.status != OK]
        for item in bad[:5]:
            progress.warn(f"quarantined {item.path}: {item.reason}")
        if len(bad) > 5:
            progress.warn(f"quarantined {len(bad) - 5} more in {part.name}")
        told_apart = part.corpus == ATTRIBUTION
        names = (
            ("image of another generator", f"image of {part.subset}") if told_apart else ("real image", "fake image")
        )
        for label, name in zip((REAL, FAKE), names, strict=True):
            if not part.count(label):
                raise UserError(
                    f"{part.name} has no readable {name}.",
                    f"{sum(i.label == label for i in part.items)} files are listed, none can be used.",
                    "Replace the quarantined files, or leave the subset out with --train or --test.",
                )
