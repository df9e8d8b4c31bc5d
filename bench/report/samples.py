"""The per-image scores behind figures: the cells of each detector of a setting, by relation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.report.board import Board, Setting
from bench.report.style import RELATIONS
from bench.results.folder import Entry, Results
from bench.results.numbers import JOINT
from bench.results.scored import Scored, Thresholds, read
from bench.types import OK

#: With more panels ablations are left out.
_PANELS = 15
_ABSENT = "the folder does not have the per-image scores"


@dataclass(frozen=True)
class Part:
    """The cells of one detector on the generators of one relation, of all seeds; with a ``reason`` there are none."""

    method: str
    label: str
    relation: str
    cells: tuple[Scored, ...]
    reason: str = ""

    @property
    def head(self) -> dict[str, str]:
        """The columns that a row of a figure's data begins with."""
        return {"method": self.method, "relation": self.relation, "reason": self.reason}


def settings(board: Board) -> list[Setting]:
    """The settings drawn from per-image scores: unperturbed, trained (if here) and tested under one protocol."""
    return [s for s in board.settings if s.perturbation == "none" and (s.untrained or s.train_protocol == s.protocol)]


def labels(board: Board, setting: Setting) -> list[str]:
    """The methods that have a panel: detectors, and ablations if there is room for them."""
    found, more = (board.methods(setting, kind) for kind in ("detector", "ablation"))
    return [*found, *more] if len(found) + len(more) <= _PANELS else found


def subset(setting: Setting, relation: str) -> str:
    """The subset, or mean over subsets, that has the numbers of a relation in ``summary.csv``."""
    if relation == "source":
        return setting.train if "+" not in setting.train else JOINT
    return f"mean:{relation}"


def _read(results: Results, thresholds: Thresholds, entry: Entry) -> Scored:
    """The scores of a cell, with the threshold if the folder has validation scores; a hole if it has no scores."""
    if entry.status != OK:
        return Scored(entry)
    if not results.has_table(entry.scores):
        return Scored(replace(entry, status="missing", reason=_ABSENT))
    return read(results, entry, thresholds.cut(entry.val) if all(map(results.has_table, entry.val)) else None)


def _reason(cells: Sequence[Scored]) -> str:
    """Why a relation is not drawn: as in the tables, no average is taken without one of its generators."""
    holes = {cell.entry.subset: cell.entry.reason for cell in cells if cell.entry.status != OK}
    if not holes:
        return ""
    same = set(holes.values()) == {_ABSENT} or len({cell.entry.subset for cell in cells}) == 1
    return next(iter(holes.values())) if same else f"no average without {', '.join(sorted(holes))}"


def parts(board: Board, results: Results, setting: Setting) -> list[Part]:
    """The cells of a setting by detector and relation, in the order of all reports; without unaveraged generators."""
    thresholds, shown = Thresholds(results), labels(board, setting)
    averaged = {column.subset for column in board.columns_of(setting) if column.averaged}
    groups: dict[tuple[str, str], list[Scored]] = defaultdict(list)
    for entry in board.entries:
        place = (entry.train, entry.train_protocol, entry.dataset, entry.protocol, entry.perturbation)
        label = f"{entry.method}[{entry.variant}]" if entry.variant else entry.method
        if place == setting and (entry.role, entry.task) == ("test", "detect") and entry.subset in averaged:
            groups[label, entry.relation].append(_read(results, thresholds, entry))
    found = []
    for label, relation in ((label, relation) for label in shown for relation in RELATIONS):
        cells = groups.get((label, relation), [])
        if cells:
            reason = _reason(cells)
            found.append(Part(board.title(label), label, relation, () if reason else tuple(cells), reason))
    return found


def words(setting: Setting) -> str:
    """The first words of a caption: what was trained and tested."""
    trained = setting.untrained.capitalize() or f"Trained on {setting.train} ({setting.train_protocol})"
    return f"{trained}, tested on {setting.dataset} ({setting.protocol})."


def left_out(frame: pd.DataFrame, names: Iterable[str] = ("method", "relation")) -> str:
    """A sentence on the rows that are not drawn, by their ``reason``; empty if there are none."""
    columns = list(names)
    holes = frame.loc[frame["reason"] != "", [*columns, "reason"]].drop_duplicates()
    if holes.empty:
        return ""
    named = holes[columns].agg(" ".join, axis=1).groupby(holes["reason"], sort=False).agg(", ".join)
    return f" Not drawn: {'; '.join(f'{members} ({reason})' for reason, members in named.items())}."
