"""Compare a copy of a dataset with what was published: counts of images, files known to be broken, a list of files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.data.dataset import Dataset, Split
from bench.types import FAKE, REAL

#: (subset, split, label) of a class of images.
Place = tuple[str, Split, int]
_CLASSES = {REAL: "photographs", FAKE: "fakes"}
_NAMED = 3


def compare(dataset: Dataset, home: Path, files: Mapping[Place, Sequence[Path]]) -> list[str]:
    """What differs from the published dataset, one sentence per finding; says so if nothing does.

    Empty for a dataset of which nothing is known. ``files`` are the images that were found below ``home``.
    """
    if not dataset.expected and dataset.inventory(home) is None:
        return []
    lines = [*_counts(dataset, files), *_broken(dataset, files), *_listed(dataset, home, files)]
    return lines or ["every class has the published number of images, and none of them is known to be broken"]


def _title(place: Place) -> str:
    subset, split, label = place
    return f"{subset} {split} {_CLASSES[label]}"


def _counts(dataset: Dataset, files: Mapping[Place, Sequence[Path]]) -> list[str]:
    """The classes of the subsets that are there with another number of images than was published."""
    present = {subset for subset, _, _ in files}
    absent = [subset.name for subset in dataset.subsets if subset.name not in present]
    lines = [f"subsets that are not there: {', '.join(absent)}"] if absent else []
    for place, expected in dataset.expected.items():
        found = len(files.get(place, ()))
        if place[0] in present and found != expected:
            more = "more than" if found > expected else "of"
            lines.append(f"{_title(place)}: {found} images, {more} {expected} published")
    return lines


def _broken(dataset: Dataset, files: Mapping[Place, Sequence[Path]]) -> list[str]:
    """The files that are known to be unreadable in every copy."""
    names = sorted(path.name for paths in files.values() for path in paths if path.name in dataset.known_broken)
    return [f"known to be broken, and left out by every run: {', '.join(names)}"] if names else []


def _listed(dataset: Dataset, home: Path, files: Mapping[Place, Sequence[Path]]) -> list[str]:
    """What a list of files, which some copies contain, has in other number than the folders."""
    table = dataset.inventory(home)
    if table is None:
        return []
    left = {(place, path.name) for place, paths in files.items() for path in paths}
    listed, present, missing, named = 0, {subset for subset, _, _ in files}, Counter[Place](), dict[Place, list[str]]()
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                found = dataset.place_of(row["path"])
                if found is None or found[0][0] not in present:
                    continue
                listed += 1
                if found in left:
                    left.discard(found)
                    continue
                missing[found[0]] += 1
                named.setdefault(found[0], []).append(found[1]) if missing[found[0]] <= _NAMED else None
    except (KeyError, ValueError, csv.Error) as error:
        return [f"{table} cannot be read ({type(error).__name__}: {error}): it needs a header with a column `path`"]
    if not listed:
        return [f"{table} lists no file of these subsets"]
    lines_of = [
        f"{_title(p)}: {n} of {table.name} missing, {', '.join(named[p])} …" for p, n in sorted(missing.items())
    ]
    unlisted = Counter(place for place, _ in left)
    return lines_of + [f"{_title(p)}: {n} images that {table.name} does not list" for p, n in sorted(unlisted.items())]
