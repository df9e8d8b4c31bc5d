"""Write the page of a results folder."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.report.page.data import Data, dumped
from bench.report.page.pictures import embedded
from bench.results.folder import Results, read_text, write_text
from bench.suites import published

_HOME = Path(__file__).parent
_LIBRARIES = ("datatables", "chart")
#: Tables of a report that stand under the board, with what they say.
_TABLES = (
    ("gates", "Is the world informative?"),
    ("nulls", "Where there is no generator"),
    ("controls", "Detectors without the help of their artefacts"),
    ("comparisons", "Comparisons of the suite"),
    ("submitted", "Submitted by others"),
)
#: Tables of what is not detection, by pattern; a figure of a table's name stands above it.
_MORE = (
    ("*-lpips-shift", "Semantic shift, LPIPS Δ"),
    ("attribution-*", "Attribution to a generator"),
    ("fewshot-*", "Few-shot detection"),
)


@dataclass(frozen=True)
class Table:
    """A table as text: a title, what it says before and after its lines, its columns and its lines.

    ``picture`` is a figure of it as a data URL, if there is one.
    """

    title: str
    note: str
    columns: Sequence[str]
    lines: Sequence[Sequence[str]]
    after: str = ""
    picture: str = ""


def write_page(results: Results, roots: Sequence[Path] = ()) -> tuple[Path, int]:
    """Write ``report/index.html``; returns it, and how many test images were not found below ``roots``.

    Images below ``roots`` are embedded as small copies; others are named by their path.
    """
    pictures, missing = embedded(results, roots)
    data = Data(results, pictures).document()
    environment = Environment(
        loader=FileSystemLoader(_HOME), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    scripts = [read(f"vendor/{name}.{kind}") for name, kind in (("datatables", "min.js"), ("chart", "umd.min.js"))]
    environment.filters["bold"] = bold
    text = environment.get_template("page.html").render(
        label=data["label"],
        sentence=data["sentence"],
        facts=described(json.loads(read_text(results.run) or "{}")),
        data=dumped(data),
        style=read("page.css"),
        scripts=[*scripts, read("page.js")],
        licences={name: read(f"vendor/{name}.LICENSE.txt") for name in _LIBRARIES},
        tables=list(_tables(results)),
        more=list(_more(results)),
        costs=_costs(results),
        papers=list(_papers()),
        citations=read_text(results.citations) or "",
    )
    path = results.root / "report" / "index.html"
    write_text(path, text)
    return path, missing


def read(name: str) -> str:
    """A file beside this one."""
    return (_HOME / name).read_text(encoding="utf-8")


def _tables(results: Results) -> Iterator[Table]:
    """The report's Markdown tables, one per section of each file."""
    for stem, title in _TABLES:
        text = read_text(results.tables / f"{stem}.md")
        if text:
            yield from _sections(title, text)


def _more(results: Results) -> Iterator[Table]:
    """Tables of the semantic shift, of attribution and of few-shot detection, with their figures."""
    for pattern, title in _MORE:
        for path in sorted(results.tables.glob(f"{pattern}.md")):
            place = path.stem
            for words in (f"-{pattern.strip('*-')}", f"{pattern.strip('*-')}-"):
                place = place.replace(words, "", 1)
            sections = _sections(
                f"{title}: {place.replace('-to-', ' → ').replace('-', ', ')}", path.read_text(encoding="utf-8")
            )
            pictures = [_figure(results, path.stem), *[""] * len(sections)]
            yield from (replace(table, picture=picture) for table, picture in zip(sections, pictures, strict=False))


def _figure(results: Results, stem: str) -> str:
    """A figure of the results folder as a data URL; nothing if it was not drawn."""
    path = results.figures / f"{stem}.png"
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}" if path.exists() else ""


def _sections(title: str, text: str) -> list[Table]:
    """The tables of a Markdown file; a line in bold above a table is its title, all other lines are notes."""
    note: list[str] = []
    found: list[Table] = []
    heading, block = title, list[list[str]]()
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            block.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif block:
            found.append(Table(heading, " ".join(note), block[0], block[2:]))
            block, note = [], []
        if line.startswith("**"):
            heading = f"{title}: {line.strip('*')}"
        elif line and not line.startswith("|"):
            note.append(line)
    if note and found:
        found[-1] = replace(found[-1], after=" ".join(note))
    return found


def bold(text: str) -> Markup:
    """Text in which parts between double asterisks are bold; everything else in it is escaped."""
    parts = [escape(part) for part in str(text).split("**")]
    return Markup("").join(Markup("<strong>{}</strong>").format(p) if n % 2 else p for n, p in enumerate(parts))


def _costs(results: Results) -> Table | None:
    """Seconds by kind of work, the most expensive first."""
    text = read_text(results.costs)
    if not text:
        return None
    table = pd.read_csv(results.costs)
    if "units" not in table:  # Of an earlier version.
        return None
    table = table[table["kind"] != "machine"].groupby(["kind", "name"], as_index=False)[["units", "seconds"]].sum()
    table = table.sort_values("seconds", ascending=False)
    lines = [[k, n, f"{units:,}", f"{s:,.1f}"] for k, n, units, s in table.itertuples(index=False)]
    note = (
        "Units are forwards of artefacts, and images of fits (times epochs) and of scores. Seconds are the sum over "
        "all processes."
    )
    return Table("Cost", note, ("kind", "of", "units", "seconds"), lines)


def _papers() -> Iterator[Table]:
    """The papers' own tables: published values, in the paper's digits."""
    known = published.read().query("value != ''")[["paper", "table"]].drop_duplicates()
    for paper, (name, _) in published.PAPERS.items():
        for table in sorted(known.loc[known["paper"] == paper, "table"]):
            values = published.values(paper, table)
            rows, columns = (list(dict.fromkeys(key[i] for key in values)) for i in (0, 1))
            lines = [[row, *(str(values.get((row, column), "–")) for column in columns)] for row in rows]
            yield Table(f"{name}, {table.replace('table', 'Table ')}", "", ["", *columns], lines)


def described(run: dict[str, Any]) -> list[tuple[str, str]]:
    """What ``run.json`` says of where the numbers come from, for people."""
    environment = run.get("environment", {})
    known = {
        "command": " ".join(run.get("command", [])),
        "commit": run.get("commit", ""),
        "version": run.get("version", ""),
        "started": run.get("started", ""),
        "seconds": str(run.get("seconds", "")),
        "device": environment.get("device_name", ""),
        "precision": environment.get("precision", ""),
        "torch": environment.get("torch", ""),
    }
    return [(name, value) for name, value in known.items() if value]
