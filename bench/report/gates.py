"""Whether the miniature world is informative: conditions that a board must meet before its ranking is meaningful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median

import pandas as pd
from tabulate import tabulate

from bench.report.board import Board, Setting
from bench.report.nulls import leaks
from bench.report.shortcuts import FILE_FACTS
from bench.results import comparisons
from bench.results.comparisons import Side
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv

#: Trivial baselines that compute one number from the pixels.
NUMBERS = ("bytes_per_pixel", "hf_energy")
_HONEST = {"train_protocol": "aligned", "protocol": "aligned", "perturbation": "none"}


@dataclass(frozen=True)
class Gate:
    """One condition: what is required, what was measured, and whether it holds."""

    requirement: str
    measured: str
    met: bool


def setting_of_gates(train: str, dataset: str = "genimage") -> Setting:
    """The setting of the gates: trained and tested aligned, unperturbed."""
    return Setting(train=train, dataset=dataset, **_HONEST)


def _signal(own: Board) -> Iterator[Gate]:
    """At least one CNN trained on each subset's own images detects it; another CNN may fail because it is weak."""
    for column in own.columns:
        setting = setting_of_gates(column.subset, column.dataset)
        detectors = own.methods(setting, "detector")
        values = {own.title(m): own.value(setting, m, column.subset, "auc").value for m in detectors}
        known = sorted(((v, title) for title, v in values.items() if v is not None), reverse=True)
        requirement = f"a CNN trained on {column.title}'s own images: AUC there ≥ 0.95"
        measured = ", ".join(f"{title} {value:.3f}" for value, title in known) or "missing"
        yield Gate(requirement, measured, bool(known) and known[0][0] >= 0.95)


def _shortcuts(board: Board, setting: Setting) -> Iterator[Gate]:
    """Neither a fact of the file nor a single number separates the classes."""
    for name in board.methods(setting, "statistic"):
        auc = board.value(setting, name, "mean:all", "auc").value
        measured = "missing" if auc is None else f"{auc:.3f}"
        if name in FILE_FACTS:
            yield Gate(
                f"{board.title(name)}, mean AUC: 0.5 ± 0.05", measured, auc is not None and abs(auc - 0.5) <= 0.05
            )
        elif name in NUMBERS:
            yield Gate(f"{board.title(name)}, mean AUC: ≤ 0.75", measured, auc is not None and auc <= 0.75)


def _reach(board: Board, setting: Setting) -> Iterator[Gate]:
    """Most detectors detect their training generator and its family; outside, at least half are above chance."""
    methods = board.methods(setting, "detector")
    for title, subset in (("the training generator", setting.train), ("its family", "mean:family")):
        values = [board.value(setting, method, subset, "auc").value for method in methods]
        known = [value for value in values if value is not None]
        if known:
            middle = median(known)
            yield Gate(f"median detector on {title}, AUC: ≥ 0.75", f"{middle:.3f}", middle >= 0.75)
    above = [m for m in methods if (board.value(setting, m, "mean:out", "auc").low or 0) > 0.5]
    yield Gate(
        "mean AUC out of family no chance: interval above 0.5 for half of the detectors or more",
        f"{len(above)} of {len(methods)}",
        2 * len(above) >= len(methods) > 0,
    )


def _ceiling(board: Board, setting: Setting) -> Gate:
    """At most a quarter of the cells outside the family are solved."""
    cells = board.cells(setting, board.outside(setting), "auc")
    values = cells.loc[cells["kind"] == "detector", "value"].dropna()
    share = float((values >= 0.99).mean()) if len(values) else 0.0
    return Gate(
        "cells outside the family with AUC ≥ 0.99: ≤ 25 %", f"{100 * share:.0f} % of {len(values)}", share <= 0.25
    )


def _spread(results: Results, board: Board, setting: Setting) -> Gate:
    """Methods differ: the best and the worst detector out of family, compared on the same images."""
    requirement = "best minus worst detector, mean AUC out of family: ≥ 0.10, interval above 0"
    means = {m: board.value(setting, m, "mean:out", "auc").value for m in board.methods(setting, "detector")}
    known = {method: value for method, value in means.items() if value is not None}
    if len(known) < 2:
        return Gate(requirement, "fewer than two detectors", False)
    best, worst = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    compared = comparisons.between(Side(results, best), Side(results, worst), (best, worst)).dropna(subset="effect")
    compared = compared[compared["subset"] == "mean:out"].set_index(list(comparisons.SETTING))
    if setting[:4] not in compared.index:
        return Gate(requirement, "not comparable", False)
    row = compared.loc[setting[:4]]
    effect, low, high = (float(row[name]) for name in ("effect", "low", "high"))
    return Gate(requirement, f"{best} − {worst}: {effect:.3f} [{low:.3f}, {high:.3f}]", effect >= 0.10 and low > 0)


def _nulls(board: Board) -> Iterator[Gate]:
    """Under ``aligned`` nothing is found where there is no generator."""
    found = board.nulls
    found = found[(found["train_protocol"] == "aligned") & (found["protocol"] == "aligned")]
    found = found.dropna(subset="corrected_low")
    if found.empty:
        return
    top = found.loc[found["corrected_low"].idxmax()]
    ends = f"{top['auc']:.3f} [{top['corrected_low']:.3f}, {top['corrected_high']:.3f}]"
    yield Gate(
        f"no detector above chance on a null generator: intervals corrected for {len(found)} tests",
        f"{len(leaks(found))} above; highest lower end: {top['method']} on {top['null']}, {ends}",
        leaks(found).empty,
    )


def gates(results: Results, own: Results, train: str = "sdv14") -> list[Gate]:
    """Every gate of a board; ``own`` are the results of CNNs trained on each subset's own images."""
    board, setting = Board(results), setting_of_gates(train)
    return [
        *_signal(Board(own)),
        *_shortcuts(board, setting),
        *_nulls(board),
        *_reach(board, setting),
        _ceiling(board, setting),
        _spread(results, board, setting),
    ]


def write_gates(results: Results, own: Results) -> list[Gate]:
    """Write ``tables/gates.md`` and ``tables/gates.csv``; returns the gates."""
    checked = gates(results, own)
    write_text(results.tables / "gates.csv", to_csv(pd.DataFrame([asdict(gate) for gate in checked])))
    lines = [[gate.requirement, gate.measured, "yes" if gate.met else "**no**"] for gate in checked]
    body = tabulate(lines, ["trained and tested aligned", "measured", "met"], "github", disable_numparse=True)
    write_text(results.tables / "gates.md", f"Whether the world is informative. {Board(results).label}.\n\n{body}\n")
    return checked
