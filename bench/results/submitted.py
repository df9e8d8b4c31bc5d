"""``submitted.csv``: results that others have added to a board, on the same test images.

Each is the ``summary.csv`` of a results folder that was verified, with who submitted it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UserError
from bench.results import summary
from bench.results.folder import Results, read_text, write_text
from bench.results.frames import read_csv, table, to_csv

#: Those of ``summary.csv``, ``title`` and ``kind`` of the method's card, who submitted it and where it is described,
#: and whether it was trained on the board's images (``same`` or ``other``).
COLUMNS: Mapping[str, str] = {
    **summary.COLUMNS,
    **dict.fromkeys(("title", "kind", "name", "link", "training"), "str"),
}
_SETTING = ["train", "train_protocol", "dataset", "protocol"]


@dataclass(frozen=True)
class Added:
    """What a submission has added: methods, rows, and why rows were left out, counted by reason."""

    methods: tuple[str, ...]
    rows: int
    left_out: Mapping[str, int]


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
    label = found["method"] + found["variant"].map(lambda variant: f"[{variant}]" if variant else "")
    found = found.assign(title=label.map(lambda m: cards[m]["title"]), kind=label.map(lambda m: cards[m]["kind"]))
    ours, theirs = _slices(board), _slices(folder)
    reasons = found.apply(lambda line: _reason(line, ours, theirs), axis=1)
    kept = found[reasons == ""]
    if kept.empty:
        raise UserError(
            f"{folder.root} has nothing that can stand on {board.root}.",
            "; ".join(f"{count} rows: {why}" for why, count in reasons.value_counts().items()),
            "Run the suite and the limits of the board, so that the same images are tested.",
        )
    kept = kept.assign(name=name, link=link, training=[_training(line, ours, theirs) for line in _lines(kept)])
    before = read(board.submitted)
    made = pd.concat([before[before["name"] != name], kept[list(COLUMNS)]]) if len(before) else kept[list(COLUMNS)]
    write_text(board.submitted, to_csv(made.sort_values(["name", "method", "variant"], kind="stable")))
    left = reasons[reasons != ""].value_counts()
    return Added(tuple(sorted(set(label[kept.index]))), len(kept), {str(k): int(v) for k, v in left.items()})


def _lines(found: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in line.items()} for line in found.to_dict("records")]


def _slices(results: Results) -> dict[str, str]:
    """The key of every slice by its name: which images it has, and what the protocol does to them."""
    run = json.loads(read_text(results.run) or "{}")
    return {name: facts["key"] for name, facts in run.get("slices", {}).items() if "key" in facts}


def _reason(line: pd.Series, ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Why a row cannot stand on the board; '' if it can."""
    if line["kind"] != "detector":
        return "not a detector"
    if line["perturbation"] != "none" or line["task"] != "detect":
        return "a control, a perturbation or another task"
    averaged = ":" in line["subset"] or line["subset"] == "pooled"
    ending = f"-test@{line['protocol']}"
    prefix = f"{line['dataset']}-" if averaged else f"{line['dataset']}-{line['subset']}{ending}"
    wanted = {name: key for name, key in ours.items() if name.startswith(prefix) and name.endswith(ending)}
    if not wanted:
        return "a subset or protocol that the board does not have"
    has_all = all(theirs.get(name) == key for name, key in wanted.items())
    return "" if has_all else "not the board's test images"


def _training(line: Mapping[str, Any], ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    name = f"genimage-{line['train']}-train@{line['train_protocol']}"
    return "same" if name in ours and ours[name] == theirs.get(name) else "other"
