"""Write the results of a run and how they were made: matrix, rows, cards, costs and provenance."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import __version__, device, discover
from bench.artefacts.engines import lpips
from bench.artefacts.origin import unverified_in
from bench.data.files import printable
from bench.detector import is_baseline
from bench.execution.fitting import status_of
from bench.execution.session import Session
from bench.models.catalogue import MODELS
from bench.operations import Operation
from bench.planning.estimate import SPEED, machine_seconds, per_image
from bench.planning.request import Chosen, Request
from bench.planning.sources import ATTRIBUTION, TRAIN_DATASET
from bench.results import citations, derived
from bench.results import images as image_table
from bench.results.entries import entry_of, entry_of_hole, entry_of_probe
from bench.results.folder import SCHEMA, Column, Matrix, Results, write_text
from bench.types import Cell, Plan, Slice


def _columns(request: Request) -> list[Column]:
    columns = {
        (dataset, subset.name): Column(dataset, subset.name, subset.title, subset.averaged)
        for dataset, folders in request.folders.items()
        for subset in discover.dataset(dataset).ordered(folders)
    }
    return [column for test, column in columns.items() if test in request.tests]


def write_matrix(plan: Plan, request: Request, session: Session) -> None:
    """Write ``cells.json``: scored cells, failed cells and holes."""
    results = session.results
    val: dict[str, tuple[str, ...]] = {}
    entries = []
    for cell in plan.cells:
        if cell.test.role == "val" and status_of(cell, session)[0] == "ok":
            file = results.scores_path(cell).relative_to(results.root).as_posix()
            val[cell.fit.key] = (*val.get(cell.fit.key, ()), file)
    for cell in plan.cells:
        status, reason = status_of(cell, session)
        entry = entry_of(cell, results, val.get(cell.fit.key, ()))
        entries.append(entry if status == "ok" else replace(entry, status=status, reason=reason, scores=""))
    entries += [entry_of_hole(hole) for hole in plan.holes]
    probes = [
        entry_of_probe(probe, results, probe.reason or session.failed.get(probe.key, "")) for probe in plan.probes
    ]
    labels = {chosen.label for chosen in request.methods}
    pairs = tuple(pair for pair in request.suite.compare if labels.issuperset(pair))
    results.write_matrix(Matrix(tuple(entries), tuple(_columns(request)), request.suite.label, tuple(probes), pairs))


def _card(chosen: Chosen) -> dict[str, Any]:
    method = chosen.method
    kind = "ablation" if chosen.variant in method.ablations else "detector"
    kind = "statistic" if is_baseline(method) else kind
    found = {"kind": kind, "params": asdict(method.params), "artefacts": per_image(method)}
    return found | asdict(method.card)


def write_cards(request: Request, results: Results) -> None:
    """Write ``methods.json``: the card and parameters of every method of the run."""
    cards = {chosen.label: _card(chosen) for chosen in request.methods}
    for label, one in request.released.items():
        if one.path is None:
            cards[label]["title"] += " (not calibrated)"
            continue
        title = f"{cards[label]['title']} (released)"
        cards[label] |= {"title": title, "released": {"file": one.path.name, "sha256": one.content}}
    results.write_json(results.cards, cards)


def write_citations(request: Request, session: Session) -> None:
    """Write ``CITATIONS.bib``: the methods, datasets and models of the run, and this benchmark."""
    datasets = dict.fromkeys([TRAIN_DATASET, *(name for name, _ in request.tests)])
    papers = {chosen.name: chosen.method.card.paper for chosen in request.methods}
    papers |= {name: discover.dataset(name).paper for name in datasets}
    papers |= {role: session.zoo.model(role).paper for role in sorted(session.zoo.known())}
    write_text(session.results.citations, citations.render(papers))


def write_costs(session: Session) -> None:
    """Append what this run computed to ``costs.csv``, and how fast the machine is.

    Columns: kind; name; units, see :class:`~bench.planning.estimate.Rates`; and seconds in one process.
    """
    totals: dict[tuple[str, str], tuple[int, float]] = {}
    for kind, name, units, seconds in session.costs:
        before = totals.get((kind, name), (0, 0.0))
        totals[kind, name] = before[0] + units, before[1] + seconds
    if totals:
        totals[SPEED] = (1, machine_seconds())
    path, header = session.results.costs, "kind,name,units,seconds\n"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows((*name, units, f"{seconds:.4f}") for name, (units, seconds) in sorted(totals.items()))
    write_text(path, (text if text.startswith(header) else header) + buffer.getvalue())


def _git_commit() -> str:
    """The commit of this code, ``-dirty`` if a tracked file was changed since; ``unknown`` outside a checkout."""
    root = Path(__file__).parents[2]
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    if not (root / ".git").exists():
        return "unknown"
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _windows(part: Slice) -> dict[str, Any]:
    """The side of a protocol's windows in pixels, and how much smaller the images were made: from … to."""
    windows = {row: done.size for row, done in part.operations.items() if isinstance(done, Operation)}
    if not windows:
        return {}
    shorter = {item.row_id: min(item.width, item.height) for item in part.usable}
    scales = [size / shorter[row] for row, size in windows.items() if row in shorter]
    return {"window": max(windows.values()), "scale": [round(min(scales), 3), round(max(scales), 3)]}


def _slices(plan: Plan) -> dict[str, Any]:
    """Every slice by name and protocol; a second one of that name, as another seed's draw, has its key behind it."""
    names: dict[str, str] = {}
    for key, part in plan.slices.items():
        name = f"{part.name}@{part.protocol}"
        names[key] = f"{name} {key[:8]}" if name in names.values() else name
    return {
        names[key]: {
            "key": key,
            "real": part.count(0),
            "fake": part.count(1),
            "quarantined": len(part.items) - len(part.usable),
            "left_out": part.left_out,
            **_windows(part),
        }
        for key, part in plan.slices.items()
    }


def _probes(plan: Plan, session: Session) -> dict[str, Any]:
    """How each probe is measured: the settings of the artefacts it compares, and its network."""
    trunk = "the miniature's trunk and heads" if session.zoo.is_mini else MODELS[lpips.ROLE].title
    found = {}
    for probe in plan.probes:
        settings = [dict(r.params) for r in probe.recipe.closure() if "long_side" in r.params]
        found[probe.name] = {"network": trunk} | (settings[0] if settings else {})
    return found


def _relative(path: Path, root: Path) -> str:
    """A path as text, relative to the dataset's folder if it is below it."""
    return printable(path.relative_to(root) if path.is_relative_to(root) else path)


def write_images(plan: Plan, request: Request, results: Results) -> None:
    """Write ``images.parquet``: the file of every ``row_id``, its facts and its status, for every slice of the plan."""
    lines = {}
    for part in plan.slices.values():
        root = request.roots[TRAIN_DATASET if part.dataset == ATTRIBUTION else part.dataset]
        for item in part.items:
            facts = {name: getattr(item, name) for name in image_table.COLUMNS if hasattr(item, name)}
            slice_name = {"dataset": part.dataset, "subset": part.subset, "role": part.role}
            lines[(*slice_name.values(), item.row_id)] = facts | slice_name | {"path": _relative(item.path, root)}
    image_table.write(results, [lines[key] for key in sorted(lines)])


def write_run(plan: Plan, request: Request, session: Session, started: datetime) -> None:
    """Write ``run.json``: the command, its data, models and environment, and what was computed."""
    meter = session.meter
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "commit": _git_commit(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "suite": request.suite.name,
        "label": request.suite.label,
        "budget": request.suite.budget,
        "seeds_draw": ["weights", "order", *request.suite.seeds_draw],
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "forwards": meter.forwards,
        "fits_trained": meter.fits_trained,
        "artefacts_made": meter.artefacts_made,
        "units_retried": meter.units_retried,
        "environment": device.describe(session.device) | _numerics(session) | {"python": sys.version.split()[0]},
        "models": {
            "source": session.zoo.source,
            "hashes": session.zoo.known(),
            "commits": session.zoo.commits(),
        },
        "unverified": unverified_in(plan, session.store),
        "slices": _slices(plan),
        "probes": _probes(plan, session),
        "passed_over": plan.passed,
        "failed": sorted(f"{cell.title}: {status_of(cell, session)[1]}" for cell in _failed(plan, session)),
    }
    session.results.write_json(session.results.run, document)


def _numerics(session: Session) -> dict[str, str]:
    numerics = session.zoo.numerics
    told = {"precision": numerics.precision, "batches": "fixed" if numerics.exact else "free"}
    return told | numerics.of_fits()


def _failed(plan: Plan, session: Session) -> list[Cell]:
    return [cell for cell in plan.cells if status_of(cell, session)[0] != "ok"]


def record(plan: Plan, request: Request, session: Session, started: datetime) -> None:
    """Write all files of the results folder, ``run.json`` last."""
    write_matrix(plan, request, session)
    write_cards(request, session.results)
    write_citations(request, session)
    write_costs(session)
    derived.write(session.results)
    write_images(plan, request, session.results)
    write_run(plan, request, session, started)
