"""``comparisons.csv``: pairs of methods on the same images, from per-image scores alone."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.metrics import paired
from bench.metrics.paired import Paired, Verdict
from bench.recipe import content_key
from bench.results.folder import SCHEMA, Entry, Results, write_text
from bench.results.measure import AGGREGATES
from bench.types import OK, Scores

COLUMNS = (
    *("schema", "one", "other", "train", "train_protocol", "dataset", "protocol", "subset", "metric", "effect"),
    *("low", "high", "p", "seed_sd", "seeds", "n_real", "n_fake", "reason"),
)
#: Training source and protocol, dataset, test protocol.
Place = tuple[str, str, str, str]
Cells = Mapping[Place, Mapping[str, Sequence[Entry]]]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a method (by label) of a results folder."""

    results: Results
    method: str

    def cells(self) -> Cells:
        """Its unperturbed test cells by setting and subset, a list over seeds."""
        found: dict[Place, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for entry in self.results.read_matrix().entries:
            if (entry.label, entry.role, entry.perturbation) == (self.method, "test", "none"):
                place = (entry.train, entry.train_protocol, entry.dataset, entry.protocol)
                found[place][entry.subset].append(entry)
        return found


@dataclass(frozen=True)
class Comparison:
    """AUC of one method minus that of another on a subset, or on the mean over some; a hole has a reason."""

    one: str
    other: str
    place: Place
    subset: str
    seeds: int
    n_real: int = 0
    n_fake: int = 0
    verdict: Verdict | None = None
    reason: str = ""


def _scores(side: Side, entries: Sequence[Entry]) -> list[Scores] | str:
    missing = next((entry.reason for entry in entries if entry.status != OK), None)
    return [side.results.read_scores(entry.scores) for entry in entries] if missing is None else missing


def _paired(sides: tuple[Side, Side], entries: tuple[Sequence[Entry], Sequence[Entry]], name: str) -> Paired | str:
    """The pair on one subset, on the images that every seed of both could score; or the reason of a hole."""
    read = [_scores(side, part) for side, part in zip(sides, entries, strict=True)]
    reason = next((part for part in read if isinstance(part, str)), None)
    if reason is not None:
        return reason
    every = [scores for part in read if not isinstance(part, str) for scores in part]
    tables = [dict(zip(s.row_id, zip(s.logit, s.label, s.status, strict=True), strict=True)) for s in every]
    if any(table.keys() != tables[0].keys() for table in tables):
        return "not scored on the same images"
    rows = [row for row in sorted(tables[0]) if all(table[row][2] == OK for table in tables)]
    labels = np.asarray([tables[0][row][1] for row in rows], np.int64)
    if len(set(labels.tolist())) < 2:
        return "one class alone"
    logits = [np.asarray([table[row][0] for row in rows], np.float32) for table in tables]
    rng = np.random.default_rng(int(content_key([name, rows])[:16], 16))
    return paired.paired(logits[: len(entries[0])], logits[len(entries[0]) :], labels, rng)


def over_title(over: Sequence[str]) -> str:
    """The name of a mean over subsets of one's own choice."""
    return f"mean:{'+'.join(over)}"


def between(one: Side, other: Side, names: tuple[str, str], over: Sequence[str] = ()) -> list[Comparison]:
    """Every setting and subset that both sides have, then the means over subsets by relation.

    Last, in settings that have all subsets of ``over``, the mean over these.
    """
    cells = one.cells(), other.cells()
    found = []
    for place in sorted(cells[0].keys() & cells[1].keys()):
        subsets = sorted(cells[0][place].keys() & cells[1][place].keys())
        parts: dict[str, Paired | str] = {}
        for subset in subsets:
            entries = cells[0][place][subset], cells[1][place][subset]
            parts[subset] = _paired((one, other), entries, f"{place} {subset}")
        relation = {subset: cells[0][place][subset][0].relation for subset in subsets}
        seeds = len(cells[0][place][subsets[0]])
        named: list[tuple[str, Paired | str]] = list(parts.items())
        attributes = cells[0][place][subsets[0]][0].task != "detect"
        for title, relations in () if attributes else AGGREGATES.items():
            members = {s: parts[s] for s in subsets if relation[s] in relations}
            if members:
                named.append((title, _mean(members)))
        if over and not attributes and parts.keys() >= set(over):
            named.append((over_title(over), _mean({s: parts[s] for s in over})))
        found += [_told(names, place, subset, seeds, part) for subset, part in named]
    return found


def _mean(members: Mapping[str, Paired | str]) -> Paired | str:
    holes = sorted(subset for subset, part in members.items() if isinstance(part, str))
    if holes:
        return f"no average without {', '.join(holes)}"
    return paired.mean([part for part in members.values() if not isinstance(part, str)])


def _told(names: tuple[str, str], place: Place, subset: str, seeds: int, part: Paired | str) -> Comparison:
    if isinstance(part, str):
        return Comparison(*names, place, subset, seeds, reason=part)
    return Comparison(*names, place, subset, seeds, part.n_real, part.n_fake, paired.verdict(part))


def compute(results: Results) -> list[Comparison]:
    """The comparisons that a results folder is about."""
    pairs = results.read_matrix().pairs
    return [c for one, other in pairs for c in between(Side(results, one), Side(results, other), (one, other))]


def _number(value: float | None) -> str:
    return "" if value is None else format(value, ".9g")


def render(found: Sequence[Comparison]) -> str:
    """As CSV, effects and interval ends as shares."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for c in found:
        train, train_protocol, dataset, protocol = c.place
        v = c.verdict
        numbers = (v.effect, v.low, v.high, v.p, v.seed_sd) if v else (None,) * 5
        place = (SCHEMA, c.one, c.other, train, train_protocol, dataset, protocol, c.subset, "auc")
        writer.writerow([*place, *map(_number, numbers), c.seeds, c.n_real, c.n_fake, c.reason])
    return buffer.getvalue()


def write(results: Results) -> None:
    """Write ``comparisons.csv``."""
    write_text(results.comparisons, render(compute(results)))


def read(results: Results) -> list[Comparison]:
    """Read ``comparisons.csv`` back; nothing where the folder has none."""
    if not results.comparisons.exists():
        return []
    with results.comparisons.open(encoding="utf-8", newline="") as file:
        return [_parsed(line) for line in csv.DictReader(file)]


def _parsed(line: Mapping[str, str]) -> Comparison:
    place = (line["train"], line["train_protocol"], line["dataset"], line["protocol"])
    verdict = None
    if line["effect"]:
        effect, low, high, p = (float(line[name]) for name in ("effect", "low", "high", "p"))
        verdict = Verdict(effect, low, high, p, float(line["seed_sd"]) if line["seed_sd"] else None)
    seeds, real, fake = (int(line[name]) for name in ("seeds", "n_real", "n_fake"))
    return Comparison(line["one"], line["other"], place, line["subset"], seeds, real, fake, verdict, line["reason"])
