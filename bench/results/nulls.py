"""``nulls.csv``: what detectors find where there is no generator, beside a board of the same detectors.

Each null generator has a results folder of its own (``run --null KIND``). One that a protocol lets through has an AUC
above 0.5. Many detectors are tested on several nulls, so some are above it by luck: the corrected interval is
Bonferroni's for all detectors and nulls of a pair of protocols.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.metrics import intervals, seeds
from bench.results import estimates, numbers, scored
from bench.results.folder import SCHEMA, Results, write_text
from bench.results.frames import read_csv, table, to_csv
from bench.types import OK

KEY = ("auc", "")
#: One row per detector, null (``null``) and pair of protocols. AUC and its ends in 0…1; ``low`` and ``high`` at 95 %,
#: ``corrected_low`` and ``corrected_high`` for all rows of a pair of protocols together.
COLUMNS: Mapping[str, str] = {
    "schema": "int64",
    **dict.fromkeys(("train_protocol", "protocol", "null", "method", "variant"), "str"),
    "seeds": "int64",
    **dict.fromkeys(("auc", "low", "high", "corrected_low", "corrected_high"), "float64"),
    "reason": "str",
}


def _found(null: str, results: Results) -> list[dict[str, Any]]:
    """The rows of one null without their intervals, but with what these are computed from."""
    cards = json.loads(results.cards.read_text(encoding="utf-8"))
    lines = []
    for cells in scored.by_setting(results):
        by_method = defaultdict(list)
        for by_subset in numbers.of_setting(cells):
            by_method[by_subset[0].entry.method, by_subset[0].entry.variant].append(by_subset[0])
        for (method, variant), members in by_method.items():
            entry = members[0].entry
            label = f"{method}[{variant}]" if variant else method
            if cards[label]["kind"] == "statistic" or (entry.role, entry.perturbation) != ("test", "none"):
                continue
            line: dict[str, Any] = {"schema": SCHEMA, "null": null, "method": method, "variant": variant}
            line |= {"train_protocol": entry.train_protocol, "protocol": entry.protocol, "seeds": len(members)}
            reason = next((m.entry.reason for m in members if m.entry.status != OK), "")
            reason = reason or ("" if members[0].sizes.enough else "too few images")
            if not reason:
                joined = seeds.joined([member.seeds[KEY] for member in members])
                line |= {"auc": joined.value, "found": (joined, members[0].sizes)}
            lines.append(line | {"reason": reason})
    return lines


def compute(folders: Mapping[str, Results]) -> pd.DataFrame:
    """The table of several nulls; ``folders`` maps a kind of null to its results."""
    lines = [line for null, results in folders.items() for line in _found(null, results)]
    families: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        families[line["train_protocol"], line["protocol"]] += "found" in line
    for line in lines:
        joined, sizes = line.pop("found", (None, None))
        for prefix, among in (("", 1), ("corrected_", families[line["train_protocol"], line["protocol"]])):
            ends = joined and estimates.of_seeds(KEY, joined, {}, sizes, 1 - (1 - intervals.LEVEL) / among)
            line |= {f"{prefix}low": ends.low, f"{prefix}high": ends.high} if ends else {}
    return table(lines, COLUMNS)


def write(folders: Mapping[str, Results], path: Path) -> None:
    """Write ``nulls.csv``."""
    write_text(path, to_csv(compute(folders)))


def read(path: Path) -> pd.DataFrame:
    """Read ``nulls.csv``; a table without rows if there is none."""
    return read_csv(path, COLUMNS) if path.exists() else table([], COLUMNS)
