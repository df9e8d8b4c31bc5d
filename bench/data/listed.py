"""Images that a table lists, arranged as folders: the columns of such a table, and the tree that its rows become.

The rows come from a CSV file (:mod:`bench.data.manifest`) or from the Hub (:mod:`bench.data.hub`). The tree has the
images once, below ``images``, and folders of links to them in a layout that a dataset reads: GenImage's if the table
has images to train on, else ``<generator>/{real,fake}``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.data.classes import FILES
from bench.data.dataset import CLASS_FOLDERS, Split
from bench.errors import UserError, unknown
from bench.labels import KINDS, words_of
from bench.recipe import content_key
from bench.types import FAKE, REAL

#: What a column can be, with its usual names.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "image": (
        "image",
        "path",
        "file",
        "filename",
        "file_name",
        "image_path",
        "image_data",
        "img",
        "jpg",
        "jpeg",
        "png",
        "webp",
    ),
    "label": ("label", "labels", "is_fake", "fake", "target", "cls"),
    "generator": ("generator", "model", "model_name", "subset", "source_model"),
    "split": ("split",),
    "class": ("class", "class_name"),
}
#: Words for the splits, in lower case; a word that contains one of them counts.
_TRAIN, _TEST = ("train",), ("test", "val", "eval", "dev")
#: Names of folders that mean something in a dataset's layout.
_RESERVED = {*CLASS_FOLDERS, "train", "test", "val", "validation", "images", "genimage", "folder"}
_LONGEST = 80
#: The generator of fakes of which nothing says where they are from.
UNNAMED = "fakes"
#: Folders of the classes, in GenImage's layout and in that of the dataset ``folder``.
_TRAINED, _TESTED = {REAL: "nature", FAKE: "ai"}, {REAL: "real", FAKE: "fake"}
_GENIMAGE_SPLITS: Mapping[Split, str] = {"train": "train", "test": "val"}


@dataclass(frozen=True)
class Place:
    """Where an image belongs: its split, label, and the generator or source that the table names, as a folder name."""

    split: Split
    label: int
    generator: str

    @property
    def name(self) -> str:
        """``test/1/sdxl``: split, label and generator."""
        return f"{self.split}/{self.label}/{self.generator}"

    @classmethod
    def named(cls, name: str) -> Place:
        """The place of a :attr:`name`."""
        split, label, generator = name.split("/")
        return cls("train" if split == "train" else "test", int(label), generator)

    def below(self, images: Path) -> Path:
        """The folder of the images with this place."""
        return images / self.split / _TESTED[self.label] / self.generator


def parse_columns(text: str | None) -> dict[str, str]:
    """The columns of ``--columns image=file,label=is_fake``, and what its words mean: ``real=photo|scan,fake=ai``.

    Raises UserError if a name is neither a column's nor a class's.
    """
    given: dict[str, str] = {}
    for word in (text or "").split(","):
        role, equals, column = (part.strip() for part in word.partition("="))
        if word.strip():
            if role not in COLUMNS and role not in KINDS:
                raise unknown("kind of column", role, [*COLUMNS, *KINDS], "Write --columns label=COLUMN.")
            if not equals or not column:
                raise UserError(f"--columns {word.strip()!r} names no column.", "There is no `=`.", f"{role}=COLUMN")
            given[role] = column
    real, fake = (words_of(given, kind) for kind in KINDS)
    both = real & fake
    if both:
        raise UserError(
            f"--columns calls {', '.join(sorted(both))} both real and fake.",
            f"It says real={given['real']} and fake={given['fake']}.",
            "Give each word one meaning.",
        )
    return given


def choose_columns(present: Iterable[str], given: Mapping[str, str], what: str) -> dict[str, str]:
    """The column of each kind: the ``given`` one, else the first with a usual name; kinds without one are left out.

    What was given of the words of labels (:data:`bench.labels.KINDS`) stays.

    The usual name of ``json.label``, a field of a column of records, is ``label``.

    Raises UserError if a given column is not ``present``, or if there is none of images or labels.
    """
    names = list(present)
    for role, column in given.items():
        if role in COLUMNS and column not in names:
            raise unknown(f"column of {what}", column, names)
    by_lower = {name.lower().rpartition(".")[2]: name for name in reversed(names)}
    found = {role: next((by_lower[n] for n in usual if n in by_lower), "") for role, usual in COLUMNS.items()}
    chosen = {role: column for role, column in {**found, **given}.items() if column}
    absent = [role for role in ("image", "label") if role not in chosen]
    if absent:
        raise UserError(
            f"{what} has no column that is known as {' or '.join(absent)}.",
            f"It has: {', '.join(names)}.",
            f"Name it: --columns {','.join(f'{role}=COLUMN' for role in absent)}.",
        )
    return chosen


def shown(columns: Mapping[str, str]) -> str:
    """``image=file, label=is_fake``, for messages."""
    return ", ".join(f"{role}={column}" for role, column in columns.items())


def split_in(word: str) -> Split | None:
    """The split that a word names: ``train``, or ``test`` for all that is held out; None if it says neither."""
    lower = word.lower()
    if any(part in lower for part in _TRAIN):
        return "train"
    return "test" if any(part in lower for part in _TEST) else None


def folder_name(generator: str) -> str:
    """A generator's name as the name of its folder, which is the name of its subset.

    A name that a dataset would take for a class or a split, such as ``real`` or ``train``, gets an ending; a long one
    is cut and ends in its hash.
    """
    name = re.sub(r"[^\w.-]+", "_", generator.strip().lower()).strip("_.") or UNNAMED
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 9]}-{content_key([name])[:8]}"
    return f"{name}-images" if name in _RESERVED else name


def arrange(tree: Path, places: Iterable[Place], classes: Mapping[str, str]) -> str:
    """Lay out the images of a tree for a dataset, with links; returns its name.

    ``classes`` maps file names to classes. The photographs of a generator are those that the table gives under its
    name; those of other sources belong to every generator that has none of its own.
    """
    known = sorted(set(places), key=lambda place: (place.split, place.label, place.generator))
    trained = any(place.split == "train" for place in known)
    name = "genimage" if trained else "folder"
    home = tree / name
    shutil.rmtree(home, ignore_errors=True)  # Of an arrangement that was interrupted.
    home.mkdir(parents=True)
    for split in {place.split for place in known}:
        reals, fakes = ([p.generator for p in known if p.split == split and p.label == label] for label in (REAL, FAKE))
        shared = [source for source in reals if source not in fakes]
        for generator in fakes:
            folder = home / generator / _GENIMAGE_SPLITS[split] if trained else home / generator
            kinds = _TRAINED if trained else _TESTED
            _link(folder / kinds[FAKE], [Place(split, FAKE, generator)], tree)
            sources = [generator] if generator in reals else shared
            _link(folder / kinds[REAL], [Place(split, REAL, source) for source in sources], tree)
    if classes:
        (home / FILES).write_text(json.dumps(dict(classes), indent=0) + "\n", encoding="utf-8")
    return name


def _link(folder: Path, places: Iterable[Place], tree: Path) -> None:
    """A folder of links to the folders of images."""
    for place in places:
        folder.mkdir(parents=True, exist_ok=True)
        target = place.below(tree / "images")
        (folder / place.generator).symlink_to(os.path.relpath(target, folder), target_is_directory=True)
