"""Experiments made of numbers per image: tables of means with intervals, and their figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench.metrics.intervals import MIN_PER_CLASS
from bench.report import cost, gallery, gaps, series
from bench.report.figures import save
from bench.report.written import Written, interval, lines_of, table
from bench.results import probed
from bench.results.folder import Matrix, ProbeEntry, Results, write_text
from bench.results.frames import to_csv
from bench.suites import published
from bench.suites.probed import Probed

_INTERVALS = (
    "Means have Student's and differences Welch's 95 % intervals; there is none for fewer than "
    f"{MIN_PER_CLASS} images of a class."
)
_CLASSES = {"fake": "generated images", "real": "photographs"}


def head(experiment: Probed) -> list[str]:
    """The title of an experiment's page and its note."""
    where = f" ({experiment.paper}, {experiment.table})" if experiment.table else ""
    return [f"# {experiment.title}{where}", "", *([experiment.note, ""] if experiment.note else [])]


def holes(measured: pd.DataFrame, titles: Mapping[tuple[str, str], str]) -> list[str]:
    """A line per reason for which numbers are missing: ``probe``, ``dataset``, ``subset``, ``protocol``, ``reason``."""
    empty = measured[(measured["reason"] != "") & (measured["subset"] != probed.POOLED)]
    found: dict[str, list[str]] = {}
    for line in empty.itertuples():
        place = f"{titles[str(line.dataset), str(line.subset)]}, {line.protocol}"
        found.setdefault(str(line.reason), []).append(place)
    lines = [f"- {'; '.join(dict.fromkeys(places))}: {reason}" for reason, places in found.items()]
    return [*lines, ""] if lines else []


def titles_of(matrix: Matrix) -> dict[tuple[str, str], str]:
    """The title of every test subset."""
    return {(column.dataset, column.subset): column.title for column in matrix.columns}


def _cells(line: pd.Series, digits: int) -> list[str]:
    texts = [
        interval(line[n], line[f"{n}_low"], line[f"{n}_high"], digits, n == "delta") for n in ("real", "fake", "delta")
    ]
    if pd.isna(line["delta"]):
        return [*texts, "–", "–"]
    return [*texts, f"{line['effect']:+.2f}", f"{100 * line['auc']:.1f}"]


def _means(experiment: Probed, part: pd.DataFrame, titles: Mapping[tuple[str, str], str]) -> str:
    """Photographs, fakes and their difference for each generator, or for all of them if there is a series."""
    body = []
    for _, line in part.iterrows():
        name = "all" if line["subset"] == probed.POOLED else titles[line["dataset"], line["subset"]]
        body.append([name, *_cells(line, experiment.digits)])
    return table(body, ["generator", "photographs", "fakes", "Δ = photographs − fakes", "d", "AUC"])


def _gap(experiment: Probed, measured: pd.DataFrame, results: Results) -> Iterator[str]:
    matrix = results.read_matrix()
    titles = titles_of(matrix)
    for protocol, part in measured.groupby("protocol", sort=False):
        for name in experiment.values:
            shown = part[(part["probe"] == name) & (part["subset"] != probed.POOLED)]
            yield from (
                f"{experiment.quantity}, {name}, {protocol} ({matrix.label}):",
                "",
                _means(experiment, shown, titles),
                "",
            )
        if len(experiment.values) == 2:
            yield from _paired(experiment, str(protocol), results)
    yield (
        "d is Δ in pooled standard deviations; AUC is that of calling the image with the lower value fake. "
        + _INTERVALS
    )
    yield ""


def _paired(experiment: Probed, protocol: str, results: Results) -> Iterator[str]:
    """Δ of the second value minus that of the first, paired by image."""
    matrix = results.read_matrix()
    entries: dict[tuple[str, str], dict[str, ProbeEntry]] = {}
    for probe in matrix.probes:
        if probe.protocol == protocol:
            entries.setdefault((probe.dataset, probe.subset), {})[probe.name] = probe
    first, second = experiment.values.values()
    body = []
    for place, title in titles_of(matrix).items():
        pair = entries.get(place, {})
        if first in pair and second in pair:
            found = probed.between(results, pair[first], pair[second])
            cell = interval(found.value, found.low, found.high, experiment.digits, True) if found else "–"
            body.append([title, cell])
    names = list(experiment.values)
    yield from (table(body, ["generator", f"Δ {names[1]} − Δ {names[0]}, {protocol}, paired by image"]), "")


def _series(experiment: Probed, measured: pd.DataFrame, results: Results) -> Iterator[str]:
    matrix = results.read_matrix()
    titles = titles_of(matrix) | {(place[0], probed.POOLED): "all" for place in titles_of(matrix)}
    for protocol, part in measured.groupby("protocol", sort=False):
        pooled = part[part["subset"] == probed.POOLED]
        body = [[str(line["probe"]), *_cells(line, experiment.digits)] for _, line in pooled.iterrows()]
        columns = [experiment.axis, "photographs", "fakes", "Δ = photographs − fakes", "d", "AUC"]
        yield from (
            f"{experiment.quantity}; all generators together, {protocol} ({matrix.label}):",
            "",
            table(body, columns),
            "",
        )
        rest = part[part["subset"] != probed.POOLED]
        names = list(dict.fromkeys(zip(rest["dataset"], rest["subset"], strict=True)))
        cells = {
            (line["probe"], line["dataset"], line["subset"]): interval(
                line["delta"], line["delta_low"], line["delta_high"], experiment.digits, True
            )
            for _, line in rest.iterrows()
        }
        rows = [[value, *(cells[value, *place] for place in names)] for value in experiment.values]
        yield from (
            f"Δ of each generator, {protocol}:",
            "",
            table(rows, [experiment.axis, *(titles[n] for n in names)]),
            "",
        )
    yield (
        "d is Δ in pooled standard deviations; AUC is that of calling the image with the lower value fake. "
        + _INTERVALS
    )
    yield ""


def _table(experiment: Probed, measured: pd.DataFrame, results: Results) -> Iterator[str]:
    """Means by row and column, of fakes as the papers' and of photographs, then the published numbers."""
    label = results.read_matrix().label
    printed = published.values(experiment.paper, experiment.table)
    for protocol, part in measured.groupby("protocol", sort=False):
        for kind, name in _CLASSES.items():
            body = [
                [row, *_row(experiment, part[part["probe"] == row], kind, _digits(experiment, row))]
                for row in experiment.values
            ]
            yield from (f"Measured, {name}, {protocol} ({label}):", "", table(body, ["", *experiment.columns]), "")
    if printed:
        body = [[r, *(str(printed.get((r, c), "–")) for c in experiment.columns)] for r in experiment.values]
        yield from ("Published:", "", table(body, ["", *experiment.columns]), "")
        yield "Do not subtract published from measured values: images or settings are not the paper's, as said above."
        yield ""
    yield _INTERVALS
    yield ""
    absent = [f"- {name}: {column.missing}" for name, column in experiment.columns.items() if column.missing]
    known = {f"{d}:{s}" for d, s in zip(measured["dataset"], measured["subset"], strict=True)}
    absent += [
        f"- {n}: not in the data" for n, column in experiment.columns.items() if column.of and column.of not in known
    ]
    yield "\n".join(absent)


def _digits(experiment: Probed, row: str) -> int:
    """The decimals that the paper prints in a row; the experiment's own if it prints none."""
    printed = [v for (name, _), v in published.values(experiment.paper, experiment.table).items() if name == row]
    return max((-int(value.as_tuple().exponent) for value in printed), default=experiment.digits)


def _row(experiment: Probed, part: pd.DataFrame, kind: str, digits: int) -> list[str]:
    """Means of one class by column."""
    lines = {f"{line['dataset']}:{line['subset']}": line for _, line in part.iterrows()}
    texts: list[str] = []
    means: list[float] = []
    for column in experiment.columns.values():
        line = lines.get(column.of)
        if column.mean:
            texts.append(f"{sum(means) / len(means):.{digits}f}" if means else "–")
        elif line is None:
            texts.append("–")
        else:
            texts.append(interval(line[kind], line[f"{kind}_low"], line[f"{kind}_high"], digits))
            means += [] if pd.isna(line[kind]) else [line[kind]]
    return texts


def _draw(experiment: Probed, measured: pd.DataFrame, results: Results, stem: Path) -> list[str]:
    """Draw an experiment's figures, one per protocol, and return the lines that show them on its page."""
    matrix, lines = results.read_matrix(), []
    for protocol, part in measured.groupby("protocol", sort=False):
        if experiment.kind == "table" or not (part["reason"] == "").any():
            continue
        caption = f"{experiment.title}, {protocol}\n{matrix.label}; 95 % intervals"
        if experiment.kind == "series":
            figure = series.draw(part, titles_of(matrix), experiment, caption)
        else:
            shown = part[part["subset"] != probed.POOLED].rename(columns={"probe": "condition"})
            figure = gaps.draw(shown, titles_of(matrix), caption, experiment.quantity)
        lines += _saved(figure, stem.with_name(f"{stem.name}-{protocol}.png"), f"{experiment.title}, {protocol}")
    return lines


def _saved(figure: Figure, path: Path, title: str) -> list[str]:
    """Save a figure and return the lines that show it."""
    save(figure, path)
    return [f"![{title}]({path.name})", ""]


def write(experiment: Probed, results: Results) -> Written:
    """Write an experiment's page, values and figures to ``reproduced/`` in a results folder."""
    stem = results.root / "reproduced" / experiment.name
    if experiment.kind == "gallery":
        return gallery.write(experiment, results, stem, head(experiment))
    if experiment.kind == "cost":
        return cost.write(experiment, results, stem, head(experiment))
    measured = probed.compute(results, experiment.values)
    body = {"gap": _gap, "series": _series, "table": _table}[experiment.kind](experiment, measured, results)
    figures = _draw(experiment, measured, results, stem)
    lines = [*head(experiment), *figures, *body, *holes(measured, titles_of(results.read_matrix()))]
    text = "\n".join(lines)
    write_text(stem.with_suffix(".md"), text)
    write_text(stem.with_suffix(".csv"), to_csv(measured))
    return Written(text, lines_of(measured, experiment.name))
