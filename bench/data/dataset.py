"""The interface of a dataset: its subsets, their families, and the folders of their classes."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from bench.data.files import below, subfolders
from bench.data.generators import generator
from bench.download import Remote
from bench.types import FAKE, REAL

Split = Literal["train", "test"]
#: Folders of one subset: split → label (0 real, 1 fake) → folders that hold its files.
Folders = Mapping[Split, Mapping[int, tuple[Path, ...]]]


@dataclass(frozen=True)
class Subset:
    """The images of one generator in a dataset.

    ``title`` is the heading of its column. Subsets of the same ``family``, in any dataset, come from closely related
    generators. ``aliases`` are the lower-case names that its folder may have. ``averaged`` is False for a subset that
    the papers' tables leave out of their averages. ``released`` is the year and month, ``2022-08``, in which the
    generator's paper or model was published; empty if the images come from several generators.
    """

    name: str
    title: str
    family: str
    aliases: tuple[str, ...]
    averaged: bool = True
    released: str = ""


class Dataset(ABC):
    """A dataset: its subsets in the papers' column order, and how to find them below a folder.

    ``paper`` is "Author et al.: Title, VENUE YEAR, arXiv ID"; ``commercial`` says whether ``licence`` allows commercial
    use: ``yes``, ``no``, ``with conditions`` or ``unclear``. ``page`` is where its authors offer it, and ``downloads``
    what a program can fetch of it. ``expected`` is the published number of images by (subset, split, label), as far
    as it is known; ``known_broken`` are names of files that are unreadable in every copy.
    """

    name: str
    title: str
    paper: str = ""
    licence: str = "none stated"
    commercial: str = "unclear"
    subsets: tuple[Subset, ...]
    page: str = ""
    downloads: tuple[Remote, ...] = ()
    #: What is left to do with the downloaded files.
    afterwards: str = ""
    expected: Mapping[tuple[str, Split, int], int] = MappingProxyType({})
    known_broken: frozenset[str] = frozenset()

    @abstractmethod
    def find(self, root: Path) -> Mapping[str, Folders]:
        """The folders of every subset present in ``root``; reads directory names only.

        An unknown generator in the dataset's layout becomes a new subset, named by :meth:`own_name`.
        """

    @abstractmethod
    def layout(self) -> str:
        """The expected folder layout in one line, for error messages."""

    def inventory(self, home: Path) -> Path | None:
        """The list of files, as CSV with a column ``path``, that a copy may contain; None if it has none."""
        return None

    def place_of(self, path: str) -> tuple[tuple[str, Split, int], str] | None:
        """Where a file of the list belongs, (subset, split, label) and its name; None if it belongs to no subset."""
        return None

    def class_name(self, path: Path) -> str:
        """The semantic class according to a file's path, or an empty string if it is unknown."""
        return ""

    def subset(self, name: str) -> Subset:
        """The subset called ``name``; an unknown one has the family that its name speaks of, or is alone in its own."""
        known = {subset.name: subset for subset in self.subsets}
        family, released = generator(name) or (f"unknown {name}", "")
        return known.get(name) or Subset(name, name, family, (name,), released=released)

    def ordered(self, names: Iterable[str]) -> list[Subset]:
        """Subsets in column order: the dataset's own first, then unknown generators by name."""
        known = [subset.name for subset in self.subsets]
        return [self.subset(n) for n in sorted(names, key=lambda n: (known.index(n) if n in known else len(known), n))]

    @staticmethod
    def own_name(folder: Path, taken: Collection[str] = ()) -> str:
        """The subset name of an unknown generator, from the name of its folder: ``sdxl-base-1.0``.

        A number is appended if the name is in ``taken``.
        """
        plain = re.sub(r"[^\w.-]+", "_", folder.name.lower()).strip("_") or "unnamed"
        numbered = (f"{plain}_{number}" for number in count(2))
        return plain if plain not in taken else next(name for name in numbered if name not in taken)

    def beside(self, homes: Iterable[Path], reals: tuple[Path, ...]) -> dict[str, Folders]:
        """The subsets whose folders of fakes are in one of ``homes``, all with the same photographs."""
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        for folder in (folder for home in homes for folder in subfolders(home)):
            name = by_alias.get(folder.name.lower())
            if name and name not in subsets:
                subsets[name] = tested((folder,), reals)
        return subsets

    def by_alias(self) -> dict[str, str]:
        """Subset names by lower-case folder name."""
        return {alias: subset.name for subset in self.subsets for alias in subset.aliases}


#: Names of class folders: CNNDetection's, GenImage's, and plain words.
CLASS_FOLDERS = {"0_real": REAL, "1_fake": FAKE, "nature": REAL, "ai": FAKE, "real": REAL, "fake": FAKE}


def class_folders(folder: Path, names: Mapping[str, int] = CLASS_FOLDERS) -> dict[int, tuple[Path, ...]]:
    """The class folders at any depth below a folder, by label; a label without a folder is left out."""
    found = {label: [path for n, of in names.items() if of == label for path in below(folder, n)] for label in (0, 1)}
    return {label: tuple(sorted(paths)) for label, paths in found.items() if paths}


def tested(fakes: tuple[Path, ...], reals: tuple[Path, ...]) -> Folders:
    """The test folders of a subset whose photographs have a folder of their own; a class without one is left out."""
    return {"test": {label: paths for label, paths in ((REAL, reals), (FAKE, fakes)) if paths}}


def unused_folders(root: Path, subsets: Iterable[Folders]) -> list[Path]:
    """The folders in ``root`` that contain no images of ``subsets``."""
    used = {path for folders in subsets for classes in folders.values() for paths in classes.values() for path in paths}
    return [f for f in subfolders(root) if not any(f == path or f in path.parents for path in used)]
