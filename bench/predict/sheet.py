"""Scores as a file: CSV, JSON or a page with small copies of the images."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from bench.data.decode import decode, read
from bench.errors import ImageError, UserError
from bench.predict.summary import Measured
from bench.predict.verdicts import FAKE, INCONCLUSIVE, REAL, chance

FORMS = (".csv", ".json", ".html")
#: Images that the page shows; the others are counted.
SHOWN = 1000
_SIDE = 112
_COLUMNS = (
    *("path", "label", "method", "p_fake", "logit", "verdict", "threshold", "low", "high", "rule"),
    *("disagreement", "file_says", "status", "reason", "fit", "trained"),
)


def check_form(path: Path | None) -> None:
    """Raise UserError for ``--out`` with a suffix that is none of :data:`FORMS`."""
    if path is not None and path.suffix.lower() not in FORMS:
        raise UserError(f"--out {path} has no known form.", f"Known: {', '.join(FORMS)}.", "Name such a file.")


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line as a row of the CSV file; ends of a band that are beyond all scores are empty."""
    label = {0: REAL, 1: FAKE}.get(line["label"], "")
    row = {**line, "label": label, "low": line["band"][0], "high": line["band"][1]}
    return {name: "" if row.get(name) is None else row[name] for name in _COLUMNS}


def write(path: Path, lines: Iterable[Mapping[str, Any]], measured: Callable[[], Sequence[Measured]]) -> None:
    """Write the lines in the form of the file's suffix, completely or not at all.

    A CSV or JSON file is written line by line. ``measured`` is called when all lines have passed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        if path.suffix.lower() == ".csv":
            table = csv.DictWriter(file, _COLUMNS)
            table.writeheader()
            table.writerows(map(_row, lines))
        elif path.suffix.lower() == ".json":
            for number, line in enumerate(lines):
                file.write(f"{',' if number else '['}\n{json.dumps(dict(line))}")
            file.write("\n]\n")
        else:
            everything = list(lines)
            file.write(page(everything, measured()))
    partial.replace(path)


def _thumbnail(path: Path) -> str:
    """A small copy of an image as a data URL; empty for one that cannot be read."""
    try:
        image = Image.fromarray(decode(read(path)).rgb)
    except ImageError:
        return ""
    image.thumbnail((2 * _SIDE, 2 * _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def page(lines: Sequence[Mapping[str, Any]], measured: Sequence[Measured]) -> str:
    """The page: the images in the order of their highest P(fake), with what each detector says."""
    methods = list(dict.fromkeys(line["method"] for line in lines))
    images = [list(group) for _, group in groupby(lines, key=lambda line: line["path"])]
    images.sort(key=lambda group: -max((line["logit"] for line in group if line["logit"] is not None), default=-1e9))
    limits: dict[str, dict[str, Any]] = {}
    for line in lines:
        low, high = (None if end is None else chance(end) for end in line["band"])
        cut = chance(line["threshold"])
        limits.setdefault(
            line["method"],
            {"cut": cut, "low": low, "high": high, "rule": line["rule"], "trained": line["trained"]},
        )
    counts = {m: Counter(line["verdict"] for line in lines if line["method"] == m) for m in methods}
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name("sheet.html").read_text(encoding="utf-8"))
    return template.render(
        methods=methods,
        limits=limits,
        counts=counts,
        verdicts=(FAKE, INCONCLUSIVE, REAL),
        measured={m: {one.metric: one for one in measured if one.method == m} for m in methods} if measured else {},
        metrics=list(dict.fromkeys(one.metric for one in measured)),
        images=[
            {
                "path": group[0]["path"],
                "name": Path(group[0]["path"]).name,
                "picture": _thumbnail(Path(group[0]["path"])),
                "label": {0: REAL, 1: FAKE}.get(group[0]["label"], ""),
                "says": group[0]["file_says"],
                "disagreement": group[0]["disagreement"],
                "lines": {line["method"]: line for line in group},
                "verdicts": " ".join(sorted({line["verdict"] for line in group if line["verdict"]})),
            }
            for group in images[:SHOWN]
        ],
        hidden=max(0, len(images) - SHOWN),
        total=len(images),
        side=_SIDE,
    )
