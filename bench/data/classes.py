"""The semantic class of an image, from its file name and from optional tables in the dataset's folder.

Most of GenImage's file names contain the class. Those of ImageNet's validation photographs do not, so
``filename_to_folder.json`` in the dataset's folder gives it (``{"ILSVRC2012_val_00042597.JPEG": "n02814533", ...}``,
the file of that name in luo3300612/LaRE@f8b2966:anns). A key may also be a path relative to that folder.
``class_names.json`` in the same folder maps class numbers and synsets to names, for classes that are not ImageNet's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError

FILES, NAMES = "filename_to_folder.json", "class_names.json"
#: Matches a class number or a synset, but not a class name.
CODE = re.compile(r"\d+|n\d{8}")


@dataclass(frozen=True)
class Classes:
    """The tables of a dataset: class by file name (``files``), and class name by number or synset (``names``)."""

    files: Mapping[str, str]
    names: Mapping[str, str]

    @classmethod
    def beside(cls, root: Path) -> Classes:
        """Read the tables in a dataset's folder; a missing table is empty. Raises UserError for an invalid one."""
        return cls(_table(root / FILES), _table(root / NAMES))

    def shown(self, class_in_name: str, path: str) -> str:
        """The class that an image shows: its name, or ImageNet's number or synset. Empty if it is unknown.

        ``path`` is relative to the dataset's folder. ``class_in_name`` is the class in the file's name; the table of
        files is used if it is empty. If there is a table of names, a number or synset that it lacks counts as unknown:
        the files of reals contain synsets and those of fakes contain numbers, so a table with only one of the two
        would separate the labels.
        """
        code = class_in_name or self.files.get(path) or self.files.get(path.rpartition("/")[2], "")
        key = str(int(code)) if code.isdecimal() else code
        return self.names.get(key, "" if CODE.fullmatch(key) else key) if self.names else key


def _table(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(table, dict) and all(isinstance(value, str) for value in table.values()):
            return table
        reason = "it is not a JSON object with string values"
    except ValueError as error:
        reason = str(error)
    raise UserError(
        f"{path} cannot be read: {reason}.",
        f"{FILES} maps file names to classes, {NAMES} maps classes to names; each is a JSON object of strings.",
        "Fix or delete it; without it, only the methods that use the class have holes.",
    )
