"""A table of a paper: measured beside published, in the paper's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from tabulate import tabulate

from bench.report.board import Board, Setting
from bench.report.written import Written, lines_of
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv
from bench.suites import published
from bench.suites.experiment import Experiment, Part

#: The protocol of the papers: files as they are.
RAW = "raw"
#: Metric → its threshold rule.
_RULES = {"acc": "0.5"}
#: A measured value that is further from the published one than this is explained, in shares.
CLOSE = 0.01
_MARKS = {1: "**%s**", 2: "<u>%s</u>"}


@dataclass(frozen=True)
class Reproduced:
    """An experiment's cells under one protocol.

    ``cells`` has a line per cell: ``row``, ``column``, ``method``, ``train``, ``of``, ``metric``, ``value``, ``low``,
    ``high``, ``published`` (shares in 0…1, the last as text in the paper's digits) and ``reason`` of a hole. Only if
    ``comparable`` may measured and published values be subtracted: real data as they are, full sample, the papers'
    settings.
    """

    experiment: Experiment
    protocol: str
    cells: pd.DataFrame
    label: str
    comparable: bool


def _measured(board: Board, part: Part, protocol: str) -> dict[str, Any]:
    hole = {"value": None, "low": None, "high": None}
    if part.missing:
        return {**hole, "reason": part.missing}
    if part.mean:
        return {**hole, "reason": ""}
    dataset, _, subset = part.of.partition(":")
    setting = Setting(part.train, protocol, dataset, protocol, part.perturbation or "none")
    found = board.value(setting, part.method, subset, part.metric, _RULES.get(part.metric, ""))
    return {"value": found.value, "low": found.low, "high": found.high, "reason": found.reason}


def reproduced(board: Board, experiment: Experiment, protocol: str, comparable: bool) -> Reproduced:
    """The cells of an experiment, read from a results folder."""
    printed = published.values(experiment.paper, experiment.table)
    lines = []
    for (row, column), part in experiment.cells.items():
        names = {"row": row, "column": column, "method": part.method, "train": part.train, "of": part.of}
        number = {"published": str(printed.get((row, column), ""))}
        lines.append(names | {"metric": part.metric} | _measured(board, part, protocol) | number)
    cells = pd.DataFrame(lines).astype({"value": "float64", "low": "float64", "high": "float64"})
    return Reproduced(experiment, protocol, _with_means(cells, experiment), board.label, comparable and protocol == RAW)


def _with_means(cells: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Fill the rows and columns that are plain means of the others; they have no interval."""
    for axis, parts in (("row", experiment.rows), ("column", experiment.columns)):
        other = "column" if axis == "row" else "row"
        means = [name for name, part in parts.items() if part.mean]
        values = cells[~cells[axis].isin(means)].groupby(other)["value"].mean()
        for name in means:
            here = cells[axis] == name
            cells.loc[here, "value"] = cells.loc[here, other].map(values)
            empty = here & cells["value"].isna()
            cells.loc[empty, "reason"] = "no cell to average"
    return cells


def _text(experiment: Experiment, value: float, low: float, high: float) -> str:
    scale, digits = (100, 2) if experiment.percent else (1, 4)
    if pd.isna(value):
        return "–"
    interval = (
        "" if pd.isna(low) or pd.isna(high) else f" [{scale * low:.{digits - 1}f}, {scale * high:.{digits - 1}f}]"
    )
    return f"{scale * value:.{digits}f}{interval}"


def _marked(made: Reproduced, texts: pd.Series, values: pd.Series) -> pd.Series:
    """The best value of each comparison of methods in bold, the second best underlined."""
    by_row = any(part.method for part in made.experiment.columns.values())
    if len(made.experiment.methods) < 2:
        return texts
    group = made.cells["row" if by_row else "column"]
    ranks = values.round(6).groupby(group).rank("dense", ascending=False)
    return pd.Series(
        [
            text.replace(text.split(" ")[0], _MARKS.get(int(rank), "%s") % text.split(" ")[0], 1)
            if rank == rank
            else text
            for text, rank in zip(texts, ranks, strict=True)
        ],
        texts.index,
    )


def _wide(made: Reproduced, texts: pd.Series) -> pd.DataFrame:
    wide = made.cells.assign(text=texts).pivot(index="row", columns="column", values="text")
    return wide.reindex(index=list(made.experiment.rows), columns=list(made.experiment.columns))


def _layouts(tables: Sequence[Reproduced]) -> dict[str, pd.DataFrame]:
    """What is printed, by caption: measured under each protocol, published, and the differences if there are any."""
    shown = {f"Measured, {made.protocol} ({made.label})": _wide(made, _measured_texts(made)) for made in tables}
    first = tables[0]
    numbers = pd.to_numeric(first.cells["published"], errors="coerce")
    if numbers.notna().any():
        shown["Published"] = _wide(first, _marked(first, first.cells["published"].replace("", "–"), numbers))
    for made in tables:
        if made.comparable and numbers.notna().any():
            shown[f"Measured − published, {made.protocol}"] = _wide(made, differences(made)["text"])
    return shown


def _measured_texts(made: Reproduced) -> pd.Series:
    cells = made.cells
    texts = pd.Series([_text(made.experiment, *v) for v in cells[["value", "low", "high"]].to_numpy()], cells.index)
    return _marked(made, texts, cells["value"])


def differences(made: Reproduced) -> pd.DataFrame:
    """``difference``, ``low``, ``high`` (shares), ``within`` a point, and ``text``, of every cell with both values.

    The published value counts as exact, so the interval is that of the measured value.
    """
    cells = made.cells
    theirs = pd.to_numeric(cells["published"], errors="coerce") / (100 if made.experiment.percent else 1)
    found = cells[["value", "low", "high"]].sub(theirs, axis=0).rename(columns={"value": "difference"})
    found["within"] = found["difference"].abs() <= CLOSE
    found["text"] = [
        f"{_text(made.experiment, *line)}{'' if within or pd.isna(line[0]) else ' ✗'}"
        for line, within in zip(found[["difference", "low", "high"]].to_numpy(), found["within"], strict=True)
    ]
    return found


def markdown(tables: Sequence[Reproduced], cards: Mapping[str, Mapping[str, Any]]) -> str:
    """One experiment as GitHub Markdown: measured, published, and if comparable the differences with their causes.

    ``tables`` has its cells under each protocol.
    """
    experiment = tables[0].experiment
    where = f" ({experiment.paper}, {experiment.table})" if experiment.table else ""
    lines = [f"# {experiment.title}{where}", ""]
    if experiment.note:
        lines += [experiment.note, ""]
    for caption, wide in _layouts(tables).items():
        body = tabulate(wide.reset_index().values.tolist(), ["", *wide.columns], "github", disable_numparse=True)
        lines += [f"{caption}:", "", body, ""]
    if tables[0].comparable:
        lines += [line for made in tables for line in _causes(made, cards)]
    elif (tables[0].cells["published"] != "").any():
        lines += ["These are not the paper's images: do not subtract published from measured values.", ""]
    return "\n".join([*lines, *_holes(tables)])


def _holes(tables: Sequence[Reproduced]) -> list[str]:
    """A line per reason for which cells are empty, under whatever protocol."""
    cells = pd.concat([made.cells for made in tables])
    empty = cells[cells["value"].isna() & (cells["reason"] != "")]
    found: dict[str, dict[str, set[str]]] = {}
    for line in empty.itertuples():
        found.setdefault(str(line.reason), {}).setdefault(str(line.row), set()).add(str(line.column))
    columns = set(tables[0].experiment.columns)
    lines = []
    for reason, rows in found.items():
        names = (row if of == columns else f"{row} ({', '.join(sorted(of))})" for row, of in rows.items())
        lines.append(f"- {'; '.join(names)}: {reason}")
    return [*lines, ""] if lines else []


def _causes(made: Reproduced, cards: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """For each method with a cell that is more than a point off: what its card names as different from the paper."""
    off = differences(made)
    outside = made.cells.loc[off["difference"].notna() & ~off["within"], "method"].unique()
    lines = [f"✗: more than {100 * CLOSE:.0f} point from the published value."] if len(outside) else []
    for method in outside:
        known = cards.get(method, {}).get("deviations") or ["its card names no deviation from the paper"]
        lines.append(f"- `{method}`: {'; '.join(known)}")
    return [*lines, ""] if lines else []


def write(tables: Sequence[Reproduced], results: Results, cards: Mapping[str, Mapping[str, Any]]) -> Written:
    """Write an experiment as Markdown, CSV and LaTeX to ``reproduced/`` in a results folder."""
    stem = results.root / "reproduced" / tables[0].experiment.name
    text, lines = markdown(tables, cards), []
    for made in tables:
        cells = made.cells.join(differences(made)[["difference", "within"]]) if made.comparable else made.cells
        lines.append(cells.assign(protocol=made.protocol))
    write_text(stem.with_suffix(".md"), text)
    write_text(stem.with_suffix(".csv"), to_csv(pd.concat(lines)))
    parts = []
    for caption, wide in _layouts(tables).items():
        plain = wide.replace({r"\*\*(.+?)\*\*": r"\\textbf{\1}", "<u>(.+?)</u>": r"\\underline{\1}"}, regex=True)
        body = plain.reset_index(names="").rename_axis(columns=None)
        table = body.to_latex(index=False, escape=False, column_format="l" + "r" * len(plain.columns))
        parts.append(f"% {caption}\n{table}")
    write_text(stem.with_suffix(".tex"), "\n".join(parts))
    name = tables[0].experiment.name
    shown = [line for made in tables for line in lines_of(made.cells.assign(protocol=made.protocol), name)]
    return Written(text, tuple(shown))
