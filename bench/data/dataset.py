"""What a dataset is to the harness: names, families, and where its classes lie on disk."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from bench.data.files import subfolders

Split = Literal["train", "test"]
#: Folders of one subset: split → label (0 real, 1 fake) → folders that hold its files.
Folders = Mapping[Split, Mapping[int, tuple[Path, ...]]]


@dataclass(frozen=True)
class Subset:
    """One generator's part of a dataset.

    ``title`` heads its column; subsets of one ``family`` come from near relatives of one generator; ``aliases`` are the
    lower-case folder names it goes by.
    """

    name: str
    title: str
    family: str
    aliases: tuple[str, ...]


class Dataset(ABC):
    """A dataset: its subsets in the papers' column order, and how to find them below a folder.

    ``paper`` is "Author et al.: Title, VENUE YEAR, arXiv ID"; ``commercial`` says whether ``licence`` allows commercial
    use: ``yes``, ``no``, ``with conditions`` or ``unclear``.
    """

    name: str
    title: str
    paper: str = ""
    licence: str = "none stated"
    commercial: str = "unclear"
    subsets: tuple[Subset, ...]

    @abstractmethod
    def find(self, root: Path) -> Mapping[str, Folders]:
        """The folders of every subset present below ``root``; reads directory names only.

        A generator that the dataset does not know, in its layout, is a subset of its own: see :meth:`own_name`.
        """

    @abstractmethod
    def layout(self) -> str:
        """One line that shows a person the folder layout looked for."""

    def class_name(self, path: Path) -> str:
        """The semantic class a file name tells, or an empty string."""
        return ""

    def subset(self, name: str) -> Subset:
        """The subset of a name; of a generator that the dataset does not know, one in a family of its own."""
        known = {subset.name: subset for subset in self.subsets}
        return known.get(name) or Subset(name, name, f"unknown {name}", (name,))

    def ordered(self, names: Iterable[str]) -> list[Subset]:
        """Subsets in column order: the dataset's own, then generators that it does not know, by name."""
        known = [subset.name for subset in self.subsets]
        return [self.subset(n) for n in sorted(names, key=lambda n: (known.index(n) if n in known else len(known), n))]

    @staticmethod
    def own_name(folder: Path, taken: Collection[str] = ()) -> str:
        """What a folder's generator is called where the dataset does not know it: ``sdxl-base-1.0``.

        A number is added where the name is ``taken``.
        """
        plain = re.sub(r"[^\w.-]+", "_", folder.name.lower()).strip("_") or "unnamed"
        numbered = (f"{plain}_{number}" for number in count(2))
        return plain if plain not in taken else next(name for name in numbered if name not in taken)

    def by_alias(self) -> dict[str, str]:
        """Subset names by the lower-case folder names they go by."""
        return {alias: subset.name for subset in self.subsets for alias in subset.aliases}


def unused_folders(root: Path, found: Iterable[Folders]) -> list[Path]:
    """The folders in ``root`` below which no subset's images lie."""
    homes = {home for folders in found for classes in folders.values() for some in classes.values() for home in some}
    return [f for f in subfolders(root) if not any(f == home or f in home.parents for home in homes)]
