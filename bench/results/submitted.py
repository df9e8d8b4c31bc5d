"""``submitted.csv``: results that others have added to a board, on the same test images.

Each is the ``summary.csv`` of a results folder that was verified when it was added, with who submitted it. Its test
images are compared one by one with the board's; how it was trained, the submitter says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UserError
from bench.results import summary
from bench.results.folder import Results, read_text, write_text
from bench.results.frames import read_csv, table, to_csv
from bench.types import label_of

#: Those of ``summary.csv``, ``origin`` (always ``submitted``), ``title`` and ``kind`` of the method's card, who
#: submitted it and where it is described, and whether its ``run.json`` names the board's training images (``same`` or
#: ``other``).
COLUMNS: Mapping[str, str] = {
    **summary.COLUMNS,
    **dict.fromkeys(("origin", "title", "kind", "name", "link", "training"), "str"),
}
#: Text of a folder that others wrote must not end a cell of a table, or be markup.
_MARKUP = re.compile(r"[|<>`\[\]\n\r]|\]\(|://")
#: The test images of each slice by (dataset, subset, protocol): row ids with labels.
_Images = dict[tuple[str, str, str], frozenset[tuple[str, int]]]


@dataclass(frozen=True)
class Added:
    """What a submission has added: methods, rows, and why rows were left out, counted by reason.

    ``own`` is the number of fits that are the board's own: the same detectors, trained in the same way.
    """

    methods: tuple[str, ...]
    rows: int
    left_out: Mapping[str, int]
    own: int = 0


def read(path: Path) -> pd.DataFrame:
    """Read ``submitted.csv``; a table without rows if there is none."""
    return read_csv(path, COLUMNS) if path.exists() else table([], COLUMNS)


def add(board: Results, folder: Results, name: str, link: str) -> Added:
    """Add a folder's detectors to a board, instead of what was submitted under that name before.

    Only numbers on the board's own test images are added, and averages only if all their images are. Raises UserError
    if nothing can be added.
    """
    found = summary.read(folder.summary)
    cards = json.loads(folder.cards.read_text(encoding="utf-8"))
    label = pd.Series(map(label_of, found["method"], found["variant"]), found.index)
    found = found.assign(title=label.map(lambda m: cards[m]["title"]), kind=label.map(lambda m: cards[m]["kind"]))
    _check_text(found, folder)
    beside = board.read_matrix().beside
    images = _images(board), _images(folder)
    reasons = found.apply(lambda line: _reason(line, *images, beside), axis=1)
    kept = found[reasons == ""]
    if kept.empty:
        raise UserError(
            f"{folder.root} has nothing that can stand on {board.root}.",
            "; ".join(f"{count} rows: {why}" for why, count in reasons.value_counts().items()),
            "Run the suite and the limits of the board, so that the same images are tested.",
        )
    keys = _keys(board), _keys(folder)
    kept = kept.assign(
        origin="submitted", name=name, link=link, training=[_training(line, *keys) for line in _lines(kept)]
    )
    before = read(board.submitted)
    made = pd.concat([before[before["name"] != name], kept[list(COLUMNS)]]) if len(before) else kept[list(COLUMNS)]
    write_text(board.submitted, to_csv(made.sort_values(["name", "method", "variant"], kind="stable")))
    left = reasons[reasons != ""].value_counts()
    own = len(_scored(board) & _scored(folder))
    return Added(tuple(sorted(set(label[kept.index]))), len(kept), {str(k): int(v) for k, v in left.items()}, own)


def _scored(results: Results) -> set[str]:
    """The fits of the detectors whose scores a folder has."""
    cards = json.loads(results.cards.read_text(encoding="utf-8"))
    entries = (
        e for e in results.read_matrix().entries if e.scores and cards.get(e.label, {}).get("kind") == "detector"
    )
    return {entry.fit for entry in entries if entry.fit}


def _lines(found: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in line.items()} for line in found.to_dict("records")]


def _check_text(found: pd.DataFrame, folder: Results) -> None:
    """Raise UserError if a name in the folder has signs that tables and pages read as markup."""
    for column in ("title", "method", "variant", "train", "train_protocol", "dataset", "protocol", "subset"):
        for value in found[column].unique():
            if _MARKUP.search(str(value)):
                raise UserError(
                    f"{folder.root} cannot be added: its {column} {value!r} cannot stand in a table.",
                    "It has signs of Markdown or HTML in it.",
                    "Give the method a plain name and title, and run it again.",
                )


def _images(results: Results) -> _Images:
    """The images that were scored, by slice. A slice that its cells do not agree on has none."""
    found: dict[tuple[str, str, str], set[frozenset[tuple[str, int]]]] = {}
    for entry in results.read_matrix().entries:
        if entry.role == "test" and entry.scores and entry.task == "detect" and results.has_table(entry.scores):
            scores = results.read_scores(entry.scores)
            images = frozenset((row, int(label or 0)) for row, label in zip(scores.row_id, scores.label, strict=True))
            found.setdefault((entry.dataset, entry.subset, entry.protocol), set()).add(images)
    return {key: next(iter(sets)) for key, sets in found.items() if len(sets) == 1}


def _keys(results: Results) -> dict[str, str]:
    """What ``run.json`` says of the images of every slice."""
    run = json.loads(read_text(results.run) or "{}")
    return {name: facts["key"] for name, facts in run.get("slices", {}).items() if "key" in facts}


def _reason(line: pd.Series, ours: _Images, theirs: _Images, beside: Collection[tuple[str, str]]) -> str:
    """Why a row cannot stand on the board; '' if it can."""
    if line["kind"] != "detector":
        return "not a detector"
    if line["perturbation"] != "none" or line["task"] != "detect":
        return "a control, a perturbation or another task"
    averaged = ":" in line["subset"] or line["subset"] == "pooled"
    same = {k: v for k, v in ours.items() if k[0] == line["dataset"] and k[2] == line["protocol"]}
    wanted = {k: v for k, v in same.items() if (k[:2] not in beside if averaged else k[1] == line["subset"])}
    if not wanted:
        return "a subset or protocol that the board does not have"
    return "" if all(theirs.get(key) == images for key, images in wanted.items()) else "not the board's test images"


def _training(line: Mapping[str, Any], ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    name = f"genimage-{line['train']}-train@{line['train_protocol']}"
    return "same" if name in ours and ours[name] == theirs.get(name) else "other"
