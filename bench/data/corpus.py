"""What a data set is to the harness: names, families, and where its classes lie on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "test"]
#: Folders of one subset: split → label (0 real, 1 fake) → folders that hold its files.
Folders = Mapping[Split, Mapping[int, tuple[Path, ...]]]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})


@dataclass(frozen=True)
class Subset:
    """One generator's part of a data set.

    ``title`` heads its column; subsets of one ``family`` come from near relatives of one generator; ``aliases`` are the
    lower-case folder names it goes by.
    """

    name: str
    title: str
    family: str
    aliases: tuple[str, ...]


class Corpus(ABC):
    """A data set: its subsets in the papers' column order, and how to find them below a folder."""

    name: str
    title: str
    subsets: tuple[Subset, ...]

    @abstractmethod
    def find(self, root: Path) -> Mapping[str, Folders]:
        """The folders of every subset present below ``root``; reads directory names only."""

    @abstractmethod
    def layout(self) -> str:
        """One line that shows a person the folder layout looked for."""

    def klass(self, path: Path) -> str:
        """The semantic class a file name tells, or an empty string."""
        return ""


def image_files(folder: Path) -> list[Path]:
    """Image files below a folder, sorted; suffixes in any case, hidden and resource-fork files left out."""
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not path.name.startswith(".")
        and "__MACOSX" not in path.parts
        and path.is_file()
    ]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
