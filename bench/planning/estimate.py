"""Estimate the cost of a plan: missing artefacts, forwards, seconds, bytes.

Seconds come from the recorded costs of earlier runs, if there are any.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench import discover
from bench.artefacts.presented import PRESENTED
from bench.artefacts.store import Store
from bench.device import Processes
from bench.planning.chunks import CHUNK
from bench.recipe import Recipe
from bench.results.folder import Results
from bench.training.fits import is_fitted
from bench.types import Job, Plan

#: Rough seconds per image in one process, if no earlier run has recorded any: per training image for ``fit``, per
#: scored image for ``score``, per artefact for ``artefacts``.
_DEFAULTS = {"fit": 0.1, "score": 0.005, "artefacts": 0.002}
_PNG_BYTES_PER_PIXEL = 2.2
#: Folders with the recorded costs of the committed boards, used for mini weights before a user's first run.
_BOARDS = Path(__file__).parents[2] / "results" / "board"


class Rates:
    """Seconds per image in one process, by kind (``artefacts``, ``fit``, ``score``) and engine or method.

    Read from ``costs`` files, the first with the highest precedence; otherwise a default, or the engine's own rough
    number.
    """

    def __init__(self, *costs: Path) -> None:
        self._recorded: dict[tuple[str, str], float] = {}
        for path in reversed(costs):
            self._recorded |= _history(path)

    def seconds(self, kind: str, name: str) -> float:
        """Seconds per image to ``fit`` or ``score`` a method."""
        return self._recorded.get((kind, name), _DEFAULTS[kind])

    def artefact(self, recipe: Recipe) -> float:
        """Seconds per image to make a recipe's artefacts."""
        recorded = self._recorded.get(("artefacts", recipe.engine))
        if recorded is not None:
            return recorded
        return _DEFAULTS["artefacts"] if recipe.engine in PRESENTED else discover.engine(recipe.engine).seconds


def rates(results: Results, mini: bool) -> Rates:
    """The rates of earlier runs into a results folder; for ``mini`` weights also those of the committed boards."""
    return Rates(results.costs, *(sorted(_BOARDS.glob("*/costs.csv")) if mini else ()))


def _history(path: Path) -> dict[tuple[str, str], float]:
    """Seconds per image by (kind, name), averaged over everything that earlier runs computed."""
    totals: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                total = totals[line["kind"], line["name"]]
                total[0], total[1] = total[0] + float(line["seconds"]), total[1] + float(line["images"])
    return {key: seconds / images for key, (seconds, images) in totals.items() if images}


def _artefacts(plan: Plan, store: Store, known: Rates) -> list[dict[str, Any]]:
    by_recipe: dict[str, list[Job]] = defaultdict(list)
    for job in plan.jobs:
        by_recipe[job.recipe.key].append(job)
    entries = []
    for key, jobs in by_recipe.items():
        recipe = jobs[0].recipe
        needed = {item.image_id: item for job in jobs for item in job.slice.usable}
        missing = store.missing(recipe, needed)
        forwards = 0 if recipe.engine in PRESENTED else discover.engine(recipe.engine)().forwards(recipe)
        pixels = sum(needed[i].width * needed[i].height for i in missing)
        entries.append(
            {
                "recipe": key,
                "engine": recipe.engine,
                "slices": sorted({f"{job.slice.name}@{job.slice.protocol}" for job in jobs}),
                "needed": len(needed),
                "cached": len(needed) - len(missing),
                "missing": len(missing),
                "forwards": forwards * len(missing),
                "seconds": len(missing) * known.artefact(recipe),
                "bytes": int(pixels * _PNG_BYTES_PER_PIXEL),
            }
        )
    return entries


def _cells(plan: Plan, results: Results) -> list[dict[str, Any]]:
    return [
        {
            "title": cell.title,
            "method": cell.fit.label,
            "key": cell.key,
            "images": len(cell.test.usable),
            "done": results.has_scores(results.scores_path(cell), cell.key),
        }
        for cell in plan.cells
    ]


def _fits(plan: Plan, store: Store) -> list[dict[str, Any]]:
    return [
        {
            "method": fit.label,
            "train": fit.source,
            "protocol": fit.protocol,
            "seed": fit.seed,
            "key": fit.key,
            "images": sum(len(plan.slices[key].usable) for key in fit.train),
            "done": is_fitted(store, fit),
        }
        for fit in plan.fits
    ]


def estimate(
    plan: Plan, store: Store, results: Results, known: Rates, processes: Processes, device: str
) -> dict[str, Any]:
    """The document of ``plan --json``: cells, fits, artefacts, and their totals.

    ``seconds`` of an entry are those of one process; the total is for as many processes as a run on ``device`` starts.
    """
    artefacts, fits, cells = _artefacts(plan, store, known), _fits(plan, store), _cells(plan, results)
    seconds = sum(a["seconds"] for a in artefacts)
    for kind, units in (("fit", fits), ("score", cells)):
        seconds += sum(known.seconds(kind, unit["method"]) * unit["images"] for unit in units if not unit["done"])
    units = sum(math.ceil(a["missing"] / CHUNK) for a in artefacts) + sum(not fit["done"] for fit in fits)
    at_once = processes.count(device, units, seconds)
    return {
        "cells": cells,
        "holes": [vars(hole) for hole in plan.holes],
        "passed_over": plan.passed,
        "fits": fits,
        "artefacts": artefacts,
        "forwards": sum(a["forwards"] for a in artefacts),
        "processes": at_once,
        "seconds": round(seconds / at_once, 1),
        "bytes": sum(a["bytes"] for a in artefacts),
    }
