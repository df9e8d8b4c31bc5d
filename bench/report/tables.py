"""Tables in the layout of the SARE paper's Tables 1–2: a method a line, a generator a column, the average last."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from tabulate import tabulate

from bench.report.board import Board, Setting, Value
from bench.results.folder import Results, write_text

#: File suffix, metric, threshold rule, and how the caption calls it.
KINDS = (
    ("acc", "acc", "0.5", "ACC (%) at threshold 0.5"),
    ("auc", "auc", "", "AUC (%)"),
    ("ap", "ap", "", "AP (%)"),
    ("acc-source-val", "acc", "source_val", "ACC (%) at the threshold of the source's validation images"),
)


@dataclass(frozen=True)
class Table:
    """A table as data: column titles, lines of (title, kind, values), and a caption."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, str, tuple[Value, ...]], ...]
    caption: str


def table(board: Board, setting: Setting, metric: str, rule: str, words: str) -> Table:
    """One metric of all methods in one setting; detectors first, then the trivial baselines."""
    columns = board.columns_of(setting)
    subsets = [*(column.subset for column in columns), "mean:all", "mean:out"]
    titles = (*(column.title for column in columns), "Avg", "Avg out")
    lines = [
        (board.title(method), kind, tuple(board.value(setting, method, subset, metric, rule) for subset in subsets))
        for kind in ("detector", "statistic")
        for method in board.methods(setting, kind)
    ]
    done = {"none": "", "permuted": " Control: artefacts permuted among images."}
    control = done.get(setting.perturbation, f" Test images of both classes after {setting.perturbation}.")
    caption = (
        f"{words} on {setting.dataset}, trained on {setting.train} ({setting.train_protocol}), "
        f"tested {setting.protocol}.{control} 95 % intervals by stratified bootstrap. {board.label}."
    )
    return Table(titles, tuple(lines), caption)


def _places(lines: Table) -> list[tuple[float, float]]:
    """Best and second-best value of every column among detectors; −1 where there is none."""
    found = []
    for column in range(len(lines.columns)):
        values = [line[2][column].value for line in lines.lines if line[1] == "detector"]
        ranked = sorted({round(v, 4) for v in values if v is not None}, reverse=True)
        found.append((ranked[0] if len(values) > 1 and ranked else -1.0, ranked[1] if len(ranked) > 1 else -1.0))
    return found


def _text(value: Value, place: tuple[float, float], marks: tuple[str, str], kind: str, interval: bool) -> str:
    if value.value is None:
        return "–"
    text = f"{100 * value.value:.2f}"
    if kind == "detector" and round(value.value, 4) in place:
        text = marks[place.index(round(value.value, 4))] % text
    if interval and value.low is not None and value.high is not None:
        text += f" [{100 * value.low:.1f}, {100 * value.high:.1f}]"
    return text


def _body(data: Table, marks: tuple[str, str], interval: bool) -> list[list[str]]:
    places = _places(data)
    return [
        [title, *(_text(v, place, marks, kind, interval) for v, place in zip(values, places, strict=True))]
        for title, kind, values in data.lines
    ]


def markdown(data: Table) -> str:
    """GitHub Markdown; best bold, second best underlined, each with its interval; reasons of holes below."""
    body = tabulate(
        _body(data, ("**%s**", "<u>%s</u>"), True), ["Method", *data.columns], "github", disable_numparse=True
    )
    holes: dict[str, list[str]] = {}
    for title, _, values in data.lines:
        for column, v in zip(data.columns, values, strict=True):
            if v.value is None:
                holes.setdefault(v.reason, []).append(f"{title} on {column}")
    notes = "".join(f"\n- {', '.join(cells)}: {reason}" for reason, cells in sorted(holes.items()))
    return f"{data.caption}\n\n{body}\n{notes}\n" if notes else f"{data.caption}\n\n{body}\n"


def latex(data: Table) -> str:
    """A LaTeX tabular as the paper prints it: values alone."""
    body = _body(data, (r"\textbf{%s}", r"\underline{%s}"), False)
    text = tabulate(body, ["Method", *data.columns], "latex_raw", disable_numparse=True)
    caption = data.caption.replace("%", r"\%").replace("_", r"\_")
    return f"% {data.caption}\n{text}\n% caption: {caption}\n"


def csv_text(data: Table) -> str:
    """One line a method and column: value and interval as shares."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["method", "kind", "column", "value", "low", "high", "seeds", "sd", "reason"])
    for title, kind, values in data.lines:
        for column, v in zip(data.columns, values, strict=True):
            *numbers, spread = ["" if x is None else format(x, ".9g") for x in (v.value, v.low, v.high, v.spread)]
            writer.writerow([title, kind, column, *numbers, v.seeds, spread, v.reason])
    return buffer.getvalue()


def write_tables(board: Board, results: Results) -> list[str]:
    """Write every table of a results folder in three formats; returns their stems."""
    stems = []
    for setting in board.settings:
        for suffix, metric, rule, words in KINDS:
            data = table(board, setting, metric, rule, words)
            stem = f"{setting.slug}-{suffix}"
            for ending, text in (("md", markdown(data)), ("tex", latex(data)), ("csv", csv_text(data))):
                write_text(results.tables / f"{stem}.{ending}", text)
            stems.append(stem)
    return stems
