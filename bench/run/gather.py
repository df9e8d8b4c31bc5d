"""From folders to the slices of a request: scan, draw, split, and keep test images out of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import discover
from bench.data import draw
from bench.data.index import Index
from bench.errors import UserError
from bench.progress import Progress
from bench.run.request import TRAIN_CORPUS, Request
from bench.types import FAKE, OK, REAL, Slice


@dataclass(frozen=True)
class Gathered:
    """The raw slices of a request: test slices by (corpus, subset), training and validation slices by subset."""

    tests: dict[tuple[str, str], Slice]
    train: dict[str, Slice]
    val: dict[str, Slice]


def gather(request: Request, index_folder: Path, progress: Progress) -> Gathered:
    """Scan what the request names and draw its slices. Raises UserError where a class has no readable image."""
    index = Index(index_folder)
    tests = {}
    for corpus, subset in request.tests:
        folders = request.folders[corpus][subset]
        pool = draw.items(discover.corpus(corpus), request.roots[corpus], folders, "test", index, progress)
        tests[corpus, subset] = draw.test_slice(corpus, subset, pool, request.limits)
    seen = {item.image_id: part.name for part in tests.values() for item in part.usable}
    train, val = {}, {}
    for subset in dict.fromkeys(name for source in request.sources for name in source.subsets):
        folders = request.folders[TRAIN_CORPUS][subset]
        root = request.roots[TRAIN_CORPUS]
        pool = draw.items(discover.corpus(TRAIN_CORPUS), root, folders, "train", index, progress)
        pair = draw.train_slices(TRAIN_CORPUS, subset, pool, request.limits)
        train[subset], val[subset] = (draw.without_test_images(part, seen) for part in pair)
    gathered = Gathered(tests, train, val)
    _check(gathered, progress)
    return gathered


def _check(gathered: Gathered, progress: Progress) -> None:
    for part in (*gathered.tests.values(), *gathered.train.values(), *gathered.val.values()):
        bad = [item for item in part.items if item.status != OK]
        for item in bad[:5]:
            progress.warn(f"quarantined {item.path}: {item.reason}")
        if len(bad) > 5:
            progress.warn(f"quarantined {len(bad) - 5} more in {part.name}")
        for label, name in ((REAL, "real"), (FAKE, "fake")):
            if not part.count(label):
                raise UserError(
                    f"{part.name} has no readable {name} image.",
                    f"{sum(i.label == label for i in part.items)} files are listed, none can be used.",
                    "Replace the quarantined files, or leave the subset out with --train or --test.",
                )
