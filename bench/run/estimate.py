"""What a plan will cost: missing artefacts, forwards, seconds, bytes.

Seconds come from the costs of earlier runs where there are any.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench import discover
from bench.ledger.folder import Results
from bench.recon.batching import chunks
from bench.recon.store import Store
from bench.types import Fit, Job, Plan

#: Rough seconds an image on two CPU cores where no earlier run tells: one training image, one scored image.
_DEFAULTS = {"fit": 0.15, "score": 0.005}
_PNG_BYTES_PER_PIXEL = 2.2


def _history(path: Path) -> dict[tuple[str, str], float]:
    """Seconds an image by (kind, name), over all that earlier runs computed."""
    totals: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                total = totals[line["kind"], line["name"]]
                total[0], total[1] = total[0] + float(line["seconds"]), total[1] + float(line["images"])
    return {key: seconds / images for key, (seconds, images) in totals.items() if images}


def is_fitted(store: Store, fit: Fit) -> bool:
    """Whether a fit's checkpoint is finished."""
    return (store.root / "fits" / fit.key / "fit.json").exists()


def _artefacts(plan: Plan, store: Store, history: dict[tuple[str, str], float]) -> list[dict[str, Any]]:
    by_recipe: dict[str, list[Job]] = defaultdict(list)
    for job in plan.jobs:
        by_recipe[job.recipe.key].append(job)
    found = []
    for key, jobs in by_recipe.items():
        recipe = jobs[0].recipe
        needed = {item.image_id: item for job in jobs for chunk in chunks(job) for item in chunk}
        missing = store.missing(recipe, needed)
        presented = recipe == jobs[0].slice.image
        engine = None if presented else discover.engine(recipe.engine)()
        pixels = sum(needed[i].width * needed[i].height for i in missing)
        found.append(
            {
                "recipe": key,
                "engine": recipe.engine,
                "slices": sorted({f"{job.slice.name}@{job.slice.protocol}" for job in jobs}),
                "needed": len(needed),
                "cached": len(needed) - len(missing),
                "missing": len(missing),
                "forwards": engine.forwards(recipe) * len(missing) if engine else 0,
                "seconds": len(missing)
                * history.get(("artefacts", recipe.engine), engine.seconds if engine else 0.002),
                "bytes": int(pixels * _PNG_BYTES_PER_PIXEL),
            }
        )
    return found


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


def estimate(plan: Plan, store: Store, results: Results) -> dict[str, Any]:
    """The document of ``plan --json``: cells, fits, artefacts, and their totals."""
    history = _history(results.costs)
    artefacts, fits, cells = _artefacts(plan, store, history), _fits(plan, store), _cells(plan, results)
    seconds = sum(a["seconds"] for a in artefacts)
    for kind, units in (("fit", fits), ("score", cells)):
        rates = [history.get((kind, unit["method"]), _DEFAULTS[kind]) for unit in units]
        seconds += sum(rate * u["images"] for rate, u in zip(rates, units, strict=True) if not u["done"])
    return {
        "cells": cells,
        "holes": [vars(hole) for hole in plan.holes],
        "fits": fits,
        "artefacts": artefacts,
        "forwards": sum(a["forwards"] for a in artefacts),
        "seconds": round(seconds, 1),
        "bytes": sum(a["bytes"] for a in artefacts),
    }
