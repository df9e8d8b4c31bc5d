"""The images that ``score`` is given: files, folders, patterns and CSV files, with labels where they have any."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.data import listed
from bench.data.dataset import CLASS_FOLDERS
from bench.data.files import describe, list_images
from bench.data.manifest import read_table
from bench.errors import UserError
from bench.labels import check_direction, label_in, not_labels
from bench.progress import Progress


@dataclass(frozen=True)
class Inputs:
    """Absolute paths, each once, and the labels of those that have one: 0 for real, 1 for fake."""

    paths: tuple[Path, ...]
    labels: Mapping[Path, int]


def read(words: Sequence[str | Path], progress: Progress) -> Inputs:
    """The images that are named. Raises UserError if a name stands for nothing, or if there is no image at all.

    A folder stands for all images in it. In folders called ``real`` and ``fake``, ``0_real`` and ``1_fake``, or
    ``nature`` and ``ai``, images have that label. A CSV file has a column of paths and perhaps one of labels.
    """
    found: dict[Path, int | None] = {}
    absent = []
    for word in map(str, words):
        path = Path(word)
        if path.is_dir():
            found |= _of_folder(path.absolute(), progress)
        elif path.is_file() and path.suffix.lower() == ".csv":
            found |= _of_table(path, progress)
        elif path.is_file():
            found.setdefault(path.absolute())
        elif matches := sorted(glob.glob(word, recursive=True)):  # noqa: PTH207 - of any folder, absolute ones too
            found |= dict.fromkeys(Path(match).absolute() for match in matches if Path(match).is_file())
        else:
            absent.append(word)
    if absent or not found:
        raise UserError(
            f"No image at {', '.join(absent or map(str, words))}.",
            f"Relative paths start at {Path.cwd()}.",
            "Give image files, folders that contain images, patterns in quotes, or a CSV file with a column path.",
        )
    return Inputs(tuple(found), {path: label for path, label in found.items() if label is not None})


def photographs(folder: Path, progress: Progress) -> tuple[Path, ...]:
    """The photographs in a folder: all images, or those with the label real if its folders give labels."""
    found = read([folder], progress)
    fakes = sum(found.labels.values())
    if fakes:
        progress.warn(f"{folder}: {fakes} images in folders of fakes are not photographs, and not used")
    return tuple(path for path in found.paths if not found.labels.get(path))


def _of_folder(folder: Path, progress: Progress) -> dict[Path, int | None]:
    listing = list_images(folder)
    if listing.passed:
        progress.warn(f"passed over in {folder}: {describe(listing.passed)}")
    found = {file: _label(file, folder) for file in listing.files}
    labels = set(found.values())
    if None in labels:
        return dict.fromkeys(found)
    if labels:
        progress.note(f"{folder}: labels are those of the folders real and fake (or 0_real, 1_fake; nature, ai)")
    return found


def _label(file: Path, folder: Path) -> int | None:
    """The label of the nearest class folder below ``folder``."""
    parts = file.relative_to(folder).parts[:-1]
    return next((CLASS_FOLDERS[part.lower()] for part in reversed(parts) if part.lower() in CLASS_FOLDERS), None)


def _of_table(file: Path, progress: Progress) -> dict[Path, int | None]:
    table = read_table(file)
    columns = {str(name).lower(): str(name) for name in reversed(list(table))}
    image, label = (next((columns[n] for n in listed.COLUMNS[kind] if n in columns), "") for kind in ("image", "label"))
    if not image:
        raise UserError(
            f"{file} has no column of images.", f"It has: {', '.join(table)}.", "Name one of its columns path."
        )
    progress.note(f"{file}: images are the column {image}, labels {f'the column {label}' if label else 'not given'}")
    found: dict[Path, int | None] = {}
    check_direction(label, table[label].unique() if label else ())
    for path, word in zip(table[image], table[label] if label else [""] * len(table), strict=True):
        if word and label_in(word) is None:
            raise not_labels(label, [word])
        place = (file.parent / path).absolute()
        if found.get(place) not in (None, label_in(word)) and word:
            raise UserError(f"{file} lists {path} both as real and as fake.", "It has two labels.", "Delete one row.")
        found[place] = label_in(word)
    return found
