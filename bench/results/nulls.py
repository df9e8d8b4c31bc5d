"""``nulls.csv``: what detectors find where there is no generator, beside a board of the same detectors.

Each null generator has a results folder of its own (``run --null KIND``). One that a protocol lets through has an AUC
above 0.5. Many detectors are tested on several nulls, so some are above it by luck: the corrected interval is
Bonferroni's for all detectors and nulls of a pair of protocols.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.metrics import intervals, seeds
from bench.results import estimates, numbers, scored
from bench.results.folder import SCHEMA, Results, write_text
from bench.results.frames import read_csv, table, to_csv
from bench.types import OK

KEY = ("auc", "")
#: The row of the mean over detectors: it finds what is too small in each of them.
MEAN = "mean of detectors"
#: One row per detector, null (``null``) and pair of protocols, and one of their mean. AUC and its ends in 0…1; ``low``
#: and ``high`` at 95 %, ``corrected_low`` and ``corrected_high`` for all detectors and nulls of a pair of protocols
#: together. The mean has none: it is one test per null.
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
    means = _means(lines)
    for line in lines:
        joined, sizes = line.pop("found", (None, None))
        for prefix, among in (("", 1), ("corrected_", families[line["train_protocol"], line["protocol"]])):
            ends = joined and estimates.of_seeds(KEY, joined, {}, sizes, 1 - (1 - intervals.LEVEL) / among)
            line |= {f"{prefix}low": ends.low, f"{prefix}high": ends.high} if ends else {}
    return table([*lines, *means], COLUMNS)


def _means(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The mean over detectors on each null, with an interval of training and of the images, which they share."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        if "found" in line:
            groups[line["null"], line["train_protocol"], line["protocol"]].append(line)
    means = []
    for (null, trained, tested), group in groups.items():
        fewest = min(line["seeds"] for line in group)
        if len(group) < 2 or any(line["seeds"] != fewest for line in group):
            continue
        joined = seeds.mean([line["found"][0] for line in group])
        ends = estimates.of_seeds(KEY, joined, {}, group[0]["found"][1])
        line = {"schema": SCHEMA, "null": null, "method": MEAN, "variant": "", "seeds": fewest, "reason": ""}
        line |= {"train_protocol": trained, "protocol": tested, "auc": joined.value}
        means.append(line | ({"low": ends.low, "high": ends.high} if ends else {}))
    return means


def write(folders: Mapping[str, Results], path: Path) -> None:
    """Write ``nulls.csv``."""
    write_text(path, to_csv(compute(folders)))


def read(path: Path) -> pd.DataFrame:
    """Read ``nulls.csv``; a table without rows if there is none."""
    return read_csv(path, COLUMNS) if path.exists() else table([], COLUMNS)
