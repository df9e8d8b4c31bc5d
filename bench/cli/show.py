"""Printed output: readable tables, or one JSON document with ``--json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import typer
from tabulate import tabulate

from bench.cli.setup import Prepared
from bench.device import without_collection
from bench.planning.estimate import estimate, rates
from bench.planning.matrix import detectors
from bench.planning.request import Request
from bench.progress import Meter
from bench.report.comparisons import table as comparison_table
from bench.report.page.write import write_page
from bench.results.folder import Results
from bench.types import Plan

if TYPE_CHECKING:
    from bench.report.write import Written
    from bench.report.written import Written as Experiment
    from bench.results.external import Imported
    from bench.results.submitted import Added

#: What is summed in the table of a plan, over all recipes of an engine.
_SUMMED = ("needed", "cached", "missing", "forwards", "seconds")


def document(value: object) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, sort_keys=True, allow_nan=False))


def cost_of(made: Plan, prepared: Prepared) -> dict[str, Any]:
    """What a plan will compute and how long it takes."""
    known = rates(prepared.results, prepared.zoo.is_mini)
    places = (prepared.store, prepared.results)
    with without_collection():
        return estimate(made, detectors(prepared.request), *places, known, prepared.processes, prepared.device)


def plan(made: Plan, prepared: Prepared, as_json: bool) -> None:
    """Print what a plan will compute and how long it takes."""
    cost = cost_of(made, prepared)
    if as_json:
        document(cost)
        return
    print(tabulate(by_engine(cost["artefacts"]), ["artefact", *_SUMMED, "slices"], floatfmt=".0f"))
    for protocols, labels in restricted(prepared.request).items():
        print(f"\n{protocols} alone, by the suite {prepared.request.suite.name}: {', '.join(labels)}")
    fits, cells, left_out = cost["fits"], cost["cells"], cost["left_out"]
    if left_out:
        count = sum(left_out.values())
        print(f"\nleft out by aligned: {count} images, too small or without a partner (--json: of which slice)")
    print(f"\nfits: {len(fits)}, of which done {sum(f['done'] for f in fits)}")
    print(f"cells: {len(cells)}, of which scored {sum(c['done'] for c in cells)}; holes: {len(cost['holes'])}")
    for hole in cost["holes"]:
        print(f"  hole: {hole['method']} on {hole['dataset']}:{hole['subset']} {hole['protocol']}: {hole['reason']}")
    minutes, disk = cost["seconds"] / 60, cost["bytes"] / 2**20
    workers = f"{cost['processes']} processes" if cost["processes"] > 1 else "one process"
    print(f"estimated: {cost['forwards']} forwards and {disk:.1f} MiB for artefacts, {minutes:.1f} min by {workers}")


def by_engine(artefacts: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """A row per engine: the sums over its recipes, and the slices of images that they are made of."""
    made: dict[str, list[Mapping[str, Any]]] = {}
    for one in artefacts:
        made.setdefault(one["engine"], []).append(one)
    rows = []
    for engine, of in made.items():
        slices = {name for one in of for name in one["slices"]}
        rows.append([engine, *(sum(one[name] for one in of) for name in _SUMMED), _named(slices)])
    return rows


def restricted(request: Request) -> dict[str, list[str]]:
    """The methods that are not trained under every protocol of a request, by those that they have."""
    found: dict[str, list[str]] = {}
    for chosen in request.methods:
        if (names := request.protocols_of(chosen)) != request.protocols:
            found.setdefault(", ".join(names), []).append(chosen.label)
    return found


def _named(slices: Collection[str]) -> str:
    first = sorted(slices)[:2]
    more = f" and {len(slices) - 2} more" if len(slices) > 2 else ""
    return ", ".join(first) + more


def run(results: Results, meter: Meter, as_json: bool, roots: Sequence[Path], figures: bool) -> None:
    """Write the report of a finished run, and print its tables and what had to be computed.

    Images below ``roots`` are shown on its page.
    """
    from bench.report.write import write_report

    written = write_report(results, figures)
    page(results, roots)
    counts = {"forwards": meter.forwards, "fits_trained": meter.fits_trained, "artefacts_made": meter.artefacts_made}
    if as_json:
        document({"results": str(results.root), **counts, "tables": list(written.tables)})
        return
    report(results, written, False)
    print(_computed(meter))


def _computed(meter: Meter) -> str:
    again = f"; begun again after a death: {meter.units_retried}" if meter.units_retried else ""
    return f"computed: {meter.artefacts_made} artefacts, {meter.fits_trained} fits, {meter.forwards} forwards{again}"


def part(made: Plan, meter: Meter, as_json: bool) -> None:
    """Print what a part of a run has computed."""
    counts = {"forwards": meter.forwards, "fits_trained": meter.fits_trained, "artefacts_made": meter.artefacts_made}
    if as_json:
        document({"fits": len(made.fits), "cells": len(made.cells), **counts})
        return
    print(f"this part: {len(made.fits)} fits, {len(made.cells)} cells")
    print(_computed(meter))
    print("Once all parts are done, the same command without --shard writes the tables and computes nothing.")


def page(results: Results, roots: Sequence[Path]) -> None:
    """Write the page of a results folder; images below ``roots`` are shown on it."""
    _, missing = write_page(results, roots)
    if missing:
        folders = ", ".join(map(str, roots))
        print(f"{missing} test images are not below {folders}, or changed; the page only names them.", file=sys.stderr)


def report(results: Results, written: Written, as_json: bool) -> None:
    """Print the main tables and the folder of the others."""
    if as_json:
        document(
            {"results": str(results.root), "tables": list(written.tables), "figures": [str(f) for f in written.figures]}
        )
        return
    for stem in written.tables:
        shown = stem.endswith(("-acc", "-auc", "-lpips-shift", "comparisons", "protocols"))
        if shown or stem.startswith(("attribution-", "fewshot-")):
            print((results.tables / f"{stem}.md").read_text(encoding="utf-8"))
    print(written.leaderboard)
    drawn = "figures/, " if written.figures else ""
    print(f"results: {results.root} (rows.csv, tables/, {drawn}leaderboard.md, report/index.html, run.json)")


def prepared(meter: Meter, as_json: bool) -> None:
    """The outcome of ``prepare``."""
    if as_json:
        document({"artefacts_made": meter.artefacts_made, "forwards": meter.forwards})
    else:
        print(f"made {meter.artefacts_made} artefacts with {meter.forwards} forwards")


def exit_if_failed(failed: Mapping[str, str]) -> None:
    """If units failed, print why to standard error, each reason once, and exit with 1."""
    for reason in dict.fromkeys(failed.values()):
        print(f"failed: {reason}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def exit_if_empty(made: Plan) -> None:
    """If every cell is a hole, so that no detector has a number, say so on standard error and exit with 1."""
    if made.holes and not any(cell.test.role == "test" for cell in made.cells):
        reasons = "; ".join(dict.fromkeys(hole.reason for hole in made.holes))
        print(f"no detector has a number: {len(made.holes)} holes ({reasons})", file=sys.stderr)
        raise typer.Exit(1)


def added(board: Results, made: Added, rows: int, written: Written, as_json: bool) -> None:
    """The outcome of ``board add``."""
    if as_json:
        document({"board": str(board.root), "verified": rows, **asdict(made)})
        return
    print((board.tables / "submitted.md").read_text(encoding="utf-8"))
    for reason, count in made.left_out.items():
        print(f"left out: {count} rows: {reason}")
    if made.own:
        print(f"note: {made.own} of its fits are the board's own, whose scores stand there already", file=sys.stderr)
    methods, tables = ", ".join(made.methods), len(written.tables)
    print(f"verified {rows} rows; added {made.rows} of {methods} to {board.root}, whose {tables} tables are new")


def folders(paths: Sequence[Path]) -> None:
    """Where something was written, to standard error: standard output is the pages themselves."""
    print("\n".join(f"written to {path}" for path in paths), file=sys.stderr)


def imported(made: Imported) -> None:
    """What ``import-scores`` has read."""
    print(f"read {made.images} images, scored by {', '.join(made.methods)}")
    for method, count in made.missing.items():
        if count:
            print(f"no score: {count} of {method}; they count as failures")


def verified(found: Mapping[Path, tuple[int, Sequence[str]]], as_json: bool) -> None:
    """The outcome of ``verify``: rows and differences of each folder."""
    if as_json:
        lines = {str(root): {"rows": n, "differences": list(d)} for root, (n, d) in found.items()}
        document(next(iter(lines.values())) if len(lines) == 1 else lines)
        return
    for root, (count, differences) in found.items():
        for difference in differences:
            print(difference)
        where = f"{root}: " if len(found) > 1 else ""
        print(f"{where}{count} rows recomputed from per-image scores, {len(differences)} differences")
        if not count:
            print(f"{where}this folder has no scores of detectors; the values of probes are not recomputed")


def comparisons(compared: pd.DataFrame, as_json: bool) -> None:
    """The outcome of ``compare``: the columns of ``comparisons.csv``; missing numbers are null."""
    if as_json:
        document(compared.astype(object).where(compared.notna(), None).to_dict("records"))
        return
    print(comparison_table(compared))


def worse(compared: pd.DataFrame) -> None:
    """Print the comparisons that made ``compare`` fail, to standard error."""
    for _, c in compared.iterrows():
        effect = c["reason"] if pd.isna(c["effect"]) else f"{100 * c['effect']:+.2f} points"
        setting = f"{c['dataset']} {c['subset']}, trained on {c['train']}, {c['train_protocol']} -> {c['protocol']}"
        print(f"worse: {c['one']} than {c['other']} on {setting}: {effect}", file=sys.stderr)


def machine(lines: Sequence[Mapping[str, str]], as_json: bool) -> None:
    """The outcome of ``check``."""
    if as_json:
        document(list(lines))
        return
    body = [[line["thing"], line["state"], line["fix"]] for line in lines]
    print(tabulate(body, ["", "state", "how to get it"], maxcolwidths=[None, 60, 50]))


def promises(name: str, outcome: Sequence[tuple[str, str]], as_json: bool) -> None:
    """The outcome of ``check-method``."""
    if as_json:
        document([{"promise": promise, "broken": reason} for promise, reason in outcome])
        return
    print(
        tabulate(
            [["broken" if reason else "kept", promise, reason] for promise, reason in outcome],
            maxcolwidths=[None, 70, 60],
        )
    )
    broken = sum(bool(reason) for _, reason in outcome)
    print(f"\n{name} keeps {len(outcome) - broken} of {len(outcome)} promises")


def names(kind: str, lines: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """The outcome of ``list``."""
    if as_json:
        document(list(lines))
        return
    shown = {
        "methods": ("name", "kind", "title", "paper"),
        "released": ("name", "method", "downloadable", "size", "trained_on"),
    }.get(kind)
    columns = shown or tuple(lines[0])
    body = [[", ".join(v) if isinstance(v := line[c], (list, tuple)) else v for c in columns] for line in lines]
    print(tabulate(body, columns, maxcolwidths=[None] * (len(columns) - 1) + [70]))
    if kind == "experiments":
        print("\nWhat each still costs on this machine, in forwards, space and minutes: reproduce --list")


def reproduced(made: Sequence[Experiment], as_json: bool) -> None:
    """The pages of ``reproduce``: what was measured beside what is published."""
    if as_json:
        document([line for written in made for line in written.lines])
    else:
        print("\n".join(written.text for written in made))
