"""Few-shot in three readings, and attribution: SemGIR's Tables 1 and 2 as tables of a results folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tabulate import tabulate

from bench.report.board import Board, Setting, Value
from bench.results.folder import Results, write_text

#: ACC at threshold 0.5, which the paper prints, and AUC.
METRICS = (("acc", "0.5"), ("auc", ""))
_SHOWN = {"none": "images as they are", "permuted": "control: artefacts permuted among images"}


@dataclass(frozen=True)
class Mark:
    """One number: ``group`` (a reading, or a perturbation), method, generator, metric."""

    group: str
    method: str
    generator: str
    metric: str
    value: Value


def _readings(board: Board, setting: Setting) -> Iterator[tuple[str, str, str]]:
    """(reading, training source, generator) of every cell that SemGIR's table could mean."""
    joint = [name for name in board.trains(setting) if "+" in name]
    single = [name for name in board.trains(setting) if "+" not in name]
    for generator in single:
        yield "per_generator: one detector a generator, tested on it", generator, generator
    for name in joint:
        for generator in name.split("+"):
            yield f"pooled: one detector on {name.replace('+', ', ')}", name, generator
    for name in single:
        for generator in single:
            yield f"single_source: one detector on {name}", name, generator


def fewshot(board: Board, setting: Setting) -> list[Mark]:
    """Every reading in the setting's protocols; none where a folder has no joint source beside single ones."""
    trains = board.trains(setting)
    columns = {column.subset for column in board.columns if column.dataset == setting.dataset}
    if (
        all("+" in n for n in trains)
        or not any("+" in n for n in trains)
        or not columns.issuperset(n for n in trains if "+" not in n)
    ):
        return []
    return [
        Mark(reading, board.title(method), generator, metric, board.value(place, method, generator, metric, rule))
        for reading, train, generator in _readings(board, setting)
        for place in [Setting(train, setting.train_protocol, setting.dataset, setting.protocol, setting.perturbation)]
        for method in (*board.methods(place, "detector"), *board.methods(place, "statistic"))
        for metric, rule in METRICS
    ]


def attribution(board: Board, train_protocol: str, protocol: str) -> list[Mark]:
    """Every method, target and perturbation of the sources that tell generators apart."""
    places = [s for s in board.told_apart if (s.train_protocol, s.protocol) == (train_protocol, protocol)]
    return [
        Mark(
            _SHOWN.get(place.perturbation, f"after {place.perturbation}"),
            board.title(method),
            target,
            metric,
            board.value(place, method, target, metric, rule),
        )
        for place in places
        for target in [place.train.partition(":")[2]]
        for method in (*board.methods(place, "detector"), *board.methods(place, "statistic"))
        for metric, rule in METRICS
    ]


def csv_text(marks: Iterable[Mark]) -> str:
    """One line a number."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["group", "method", "generator", "metric", "value", "low", "high", "seeds", "reason"])
    for mark in marks:
        v = mark.value
        numbers = ["" if x is None else format(x, ".9g") for x in (v.value, v.low, v.high)]
        writer.writerow([mark.group, mark.method, mark.generator, mark.metric, *numbers, v.seeds, v.reason])
    return buffer.getvalue()


def _cell(value: Value | None) -> str:
    if value is None or value.value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{100 * value.value:.1f}"
    return f"{100 * value.value:.1f} [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def markdown(marks: list[Mark], caption: str) -> str:
    """A section a group and metric: a method a line, a generator a column, the average last."""
    text = f"{caption}\n"
    for group in dict.fromkeys(mark.group for mark in marks):
        for metric in dict.fromkeys(mark.metric for mark in marks):
            chosen = {(m.method, m.generator): m.value for m in marks if (m.group, m.metric) == (group, metric)}
            generators = list(dict.fromkeys(generator for _, generator in chosen))
            body = []
            for method in dict.fromkeys(method for method, _ in chosen):
                values = [chosen.get((method, generator)) for generator in generators]
                known = [v.value for v in values if v is not None and v.value is not None]
                mean = f"{100 * sum(known) / len(known):.1f}" if len(known) == len(generators) else "–"
                body.append([method, *map(_cell, values), mean])
            table = tabulate(body, ["Method", *generators, "Avg"], "github", disable_numparse=True)
            holes = sorted({v.reason for v in chosen.values() if v.value is None})
            notes = "".join(f"\n- – : {reason}" for reason in holes)
            text += f"\n**{metric.upper()} (%), {group}**\n\n{table}\n{notes}"
    return text


def write_fewshot(board: Board, results: Results) -> list[str]:
    """Write the tables that the folder's sources allow; returns their stems."""
    stems = []
    marks: dict[str, tuple[list[Mark], str]] = {}
    for setting in {Setting("", s.train_protocol, s.dataset, s.protocol, s.perturbation) for s in board.settings}:
        if setting.perturbation == "none":
            name = f"fewshot-{setting.dataset}-{setting.train_protocol}-to-{setting.protocol}"
            words = f"Detection on {setting.dataset}, trained {setting.train_protocol}, tested"
            marks[name] = fewshot(board, setting), f"{words} {setting.protocol}, in three readings. {board.label}."
    for trained, tested in sorted({(s.train_protocol, s.protocol) for s in board.told_apart}):
        words = f"Attribution: one generator's images against those of the others, trained {trained}, tested {tested}; "
        caption = f"{words}ACC at threshold 0.5. {board.label}."
        marks[f"attribution-{trained}-to-{tested}"] = attribution(board, trained, tested), caption
    for name, (found, caption) in sorted(marks.items()):
        if found:
            write_text(results.tables / f"{name}.md", markdown(found, caption))
            write_text(results.tables / f"{name}.csv", csv_text(found))
            stems.append(name)
    return stems
