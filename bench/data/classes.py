"""The class that an image was chosen for or made of, where a dataset tells it: by file names and tables beside them.

GenImage names the class in most file names. ImageNet's validation photographs do not; ``filename_to_folder.json`` in
the dataset's folder tells it (``{"ILSVRC2012_val_00042597.JPEG": "n02814533", ...}``, the file of that name in
luo3300612/LaRE@f8b2966:anns); a key may be a path below that folder too. ``class_names.json`` beside it gives words,
by number and by synset, where classes are not ImageNet's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from bench.errors import UserError

FILES, NAMES = "filename_to_folder.json", "class_names.json"
#: A class by its number or synset, not in words.
CODE = re.compile(r"\d+|n\d{8}")


@dataclass(frozen=True)
class Classes:
    """Class by file name, and words by class number or synset."""

    files: Mapping[str, str]
    names: Mapping[str, str]

    @classmethod
    def beside(cls, root: Path) -> Classes:
        """The tables in a dataset's folder; empty where there are none. Raises UserError for a broken one."""
        return cls(_table(root / FILES), _table(root / NAMES))

    def shown(self, told: str, place: PurePath) -> str:
        """Words, or ImageNet's number or synset, for the file ``place`` below the dataset; ``told`` is by its name.

        Empty where nothing tells it. Where there are words for classes, a class without words is none: reals are named
        by synset and fakes by number, and a table of one kind alone would tell them apart.
        """
        found = told or self.files.get(place.as_posix()) or self.files.get(place.name, "")
        key = str(int(found)) if found.isdecimal() else found
        return self.names.get(key, "" if CODE.fullmatch(key) else key) if self.names else key


def _table(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
            return found
        why = "it is not an object of texts"
    except ValueError as error:
        why = str(error)
    raise UserError(
        f"{path} cannot be read: {why}.",
        f"{FILES} gives a class by file name, {NAMES} words by class, both as one JSON object of texts.",
        "Mend it or take it away; without it only the methods that are told the class have holes.",
    )
