"""Seconds per image scored, from ``costs.csv`` and the artefacts on the cards of a results folder's methods."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from typing import Any

import pandas as pd

from bench.results.folder import Results, read_text

#: ``score`` and ``artefacts`` are seconds per image, ``seconds`` is their sum; ``forwards`` counts the network
#: evaluations for artefacts of an image.
COLUMNS = ("label", "score", "artefacts", "seconds", "forwards", "reason")


def _rates(results: Results) -> dict[tuple[str, str], float]:
    """Seconds per unit by kind and name, over all runs into the folder; empty for files of other versions."""
    totals: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for line in csv.DictReader(io.StringIO(read_text(results.costs) or "")):
        if {"kind", "name", "units", "seconds"} <= line.keys():
            total = totals[line["kind"], line["name"]]
            total[0] += float(line["seconds"])
            total[1] += float(line["units"] or 0)
    return {key: seconds / units for key, (seconds, units) in totals.items() if units}


def _cost(label: str, card: dict[str, Any], rates: dict[tuple[str, str], float]) -> dict[str, Any]:
    row: dict[str, Any] = {"label": label, "reason": ""}
    needed: dict[str, int] | None = card.get("artefacts")
    if needed is None:
        return row | {"reason": "its card does not say which artefacts it needs"}
    unknown = [engine for engine in needed if ("artefacts", engine) not in rates]
    if ("score", label) not in rates or unknown:
        what = f"making {', '.join(unknown)}" if unknown else "scoring"
        return row | {"reason": f"no time of {what} was recorded"}
    score = rates["score", label]
    made = sum(count * rates["artefacts", engine] for engine, count in needed.items())
    return row | {"score": score, "artefacts": made, "seconds": score + made, "forwards": sum(needed.values())}


def compute(results: Results) -> pd.DataFrame:
    """One row per method of the folder; one whose cost the folder does not tell has a ``reason``.

    The seconds are those of one process, on the machines of the runs that made the folder. The time to read an image
    and to bring it under a protocol is part of no method's cost but for what its own scoring takes.
    """
    rates = _rates(results)
    cards = json.loads(results.cards.read_text(encoding="utf-8"))
    frame = pd.DataFrame([_cost(label, card, rates) for label, card in cards.items()], columns=list(COLUMNS))
    return frame.astype({"forwards": "Int64", **dict.fromkeys(("score", "artefacts", "seconds"), "float64")})
