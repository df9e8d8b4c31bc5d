"""Few-shot detection in several readings, and attribution: Tables 1 and 2 of SemGIR for a results folder."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from tabulate import tabulate

from bench.controls import CONTROLS
from bench.report.board import Board, Setting, percent
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv

#: ACC at threshold 0.5, which the paper reports, and AUC.
METRICS = (("acc", "0.5"), ("auc", ""))
COLUMNS = ("group", "method", "generator", "metric", "value", "low", "high", "seeds", "reason")
_CONDITIONS = {"none": "images as they are"} | {name: f"control: {words}" for name, words in CONTROLS.items()}


def _readings(board: Board, setting: Setting) -> Iterator[tuple[str, str, str]]:
    """(reading, training source, generator) of every cell, for each possible reading of SemGIR's table."""
    joint = [name for name in board.trains(setting) if "+" in name]
    single = [name for name in board.trains(setting) if "+" not in name]
    for generator in single:
        yield "per_generator: one detector per generator, tested on it", generator, generator
    for name in joint:
        reading, colon, subsets = name.rpartition(":")
        words = "with the photographs of the first alone" if colon else "each with its own photographs"
        for generator in subsets.split("+"):
            yield f"{reading or 'pooled'}: one detector on {subsets.replace('+', ', ')}, {words}", name, generator
    for name in single:
        for generator in single:
            yield f"single_source: one detector on {name}", name, generator


def _cells(board: Board, setting: Setting, group: str, generator: str) -> pd.DataFrame:
    """All methods of a setting on one generator, in both metrics."""
    parts = [
        board.cells(setting, [generator], metric, rule).assign(group=group, metric=metric) for metric, rule in METRICS
    ]
    return pd.concat(parts).rename(columns={"subset": "generator"})[list(COLUMNS)]


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def fewshot(board: Board, setting: Setting) -> pd.DataFrame:
    """Every reading in the setting's protocols; empty unless there are a joint source and single sources."""
    trains = board.trains(setting)
    single = [name for name in trains if "+" not in name]
    columns = {column.subset for column in board.columns_of(setting)}
    if not single or len(single) == len(trains) or not columns.issuperset(single):
        return _joined([])
    readings = _readings(board, setting)
    return _joined([_cells(board, setting._replace(train=train), name, subset) for name, train, subset in readings])


def attribution(board: Board, train_protocol: str, protocol: str) -> pd.DataFrame:
    """All methods, targets and perturbations of attribution under a pair of protocols."""
    settings = [s for s in board.attribution if (s.train_protocol, s.protocol) == (train_protocol, protocol)]
    return _joined(
        [
            _cells(board, s, _CONDITIONS.get(s.perturbation, f"after {s.perturbation}"), s.train.partition(":")[2])
            for s in settings
        ]
    )


def markdown(cells: pd.DataFrame, caption: str) -> str:
    """One section per group and metric: one row per method, one column per generator, the average last."""
    text = f"{caption}\n"
    for (group, metric), part in cells.groupby(["group", "metric"], sort=False):
        texts = [percent(*numbers) for numbers in part[["value", "low", "high"]].itertuples(index=False)]
        order = {"index": part["method"].unique(), "columns": part["generator"].unique()}
        shown = part.assign(text=texts).pivot(index="method", columns="generator", values="text").reindex(**order)
        values = part.pivot(index="method", columns="generator", values="value").reindex(**order)
        means = values.mean(axis=1, skipna=False)
        shown["Avg"] = ["–" if pd.isna(mean) else f"{100 * mean:.1f}" for mean in means]
        body = tabulate(
            shown.reset_index().values.tolist(), ["Method", *shown.columns], "github", disable_numparse=True
        )
        reasons = sorted(set(part.loc[part["value"].isna(), "reason"]))
        notes = "".join(f"\n- – : {reason}" for reason in reasons)
        text += f"\n**{str(metric).upper()} (%), {group}**\n\n{body}\n{notes}"
    return text


def write_fewshot(board: Board, results: Results) -> list[str]:
    """Write the tables that are possible with the folder's training sources; returns their stems."""
    tables: dict[str, tuple[pd.DataFrame, str]] = {}
    for setting in {s._replace(train="") for s in board.settings if s.perturbation == "none"}:
        name = f"fewshot-{setting.dataset}-{setting.train_protocol}-to-{setting.protocol}"
        words = f"Detection on {setting.dataset}, trained {setting.train_protocol}, tested {setting.protocol}"
        tables[name] = fewshot(board, setting), f"{words}, in several readings. {board.label}."
    for trained, tested in sorted({(s.train_protocol, s.protocol) for s in board.attribution}):
        words = f"Attribution: one generator's images against those of the others, trained {trained}, tested {tested}"
        cells = attribution(board, trained, tested)
        tables[f"attribution-{trained}-to-{tested}"] = cells, f"{words}; ACC at threshold 0.5. {board.label}."
    stems = [name for name in sorted(tables) if len(tables[name][0])]
    for name in stems:
        write_text(results.tables / f"{name}.md", markdown(*tables[name]))
        write_text(results.tables / f"{name}.csv", to_csv(tables[name][0]))
    return stems
