"""Estimate the cost of a plan: missing artefacts, forwards, seconds, bytes.

Seconds come from the recorded costs of earlier runs, or of one on the miniature that is part of the package, scaled by
how fast this machine is.
"""

from __future__ import annotations

import csv
import math
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import discover
from bench.artefacts.presented import PRESENTED
from bench.artefacts.store import Store
from bench.detector import Detector, Method
from bench.device import Processes
from bench.planning.chunks import CHUNK, view_sizes
from bench.recipe import Recipe
from bench.results.folder import Results
from bench.training.budgets import scheduled
from bench.training.fits import is_fitted
from bench.types import Job, Plan

if TYPE_CHECKING:
    from bench.planning.units import Methods

#: Rough seconds in one process, if no earlier run has recorded any: per image and epoch for ``fit``, per scored image
#: for ``score``, per artefact for ``artefacts``.
_DEFAULTS = {"fit": 0.01, "score": 0.005, "artefacts": 0.002}
_PNG_BYTES_PER_PIXEL = 2.2
#: Every so many images are looked at for their mean size.
_SAMPLED = 7
#: Bytes of a record besides its payload: the tar header, the padding, the index entry.
_OVERHEAD = 1000
#: The costs of the main job on the miniature, used for its weights before a user's first run.
_RECORDED = Path(__file__).parent / "costs.csv"
#: Kind and name of the line of ``costs.csv`` that says how fast the machine was.
SPEED = ("machine", "fft")


def passes(method: Method) -> int:
    """How often training sees each image at most."""
    return scheduled(method).epochs if isinstance(method, Detector) else 1


def forwards(recipe: Recipe) -> int:
    """Network evaluations for one artefact."""
    return 0 if recipe.engine in PRESENTED else int(discover.engine(recipe.engine)().forwards(recipe))


def per_image(method: Method) -> dict[str, int]:
    """The units of ``costs.csv`` of each engine that one image needs before the method can score it.

    Protocols and perturbations are not counted: they are the same for all methods.
    """
    needed = {recipe.key: recipe for need in method.needs("test").values() for recipe in need.closure()}
    counts: dict[str, int] = {}
    for recipe in needed.values():
        if recipe.engine not in PRESENTED:
            counts[recipe.engine] = counts.get(recipe.engine, 0) + max(1, forwards(recipe))
    return dict(sorted(counts.items()))


def machine_seconds() -> float:
    """Seconds that this machine takes for a fixed piece of work on one core: the median of a few tries."""
    image, times = np.random.default_rng(0).standard_normal((512, 512)), []
    for _ in range(7):
        started = time.perf_counter()
        for _ in range(2):
            np.fft.ifft2(np.fft.fft2(image))
        times.append(time.perf_counter() - started)
    return median(times)


class Rates:
    """Seconds in one process, by kind and engine or method.

    They are per forward for ``artefacts``, per image and epoch for ``fit``, per image for ``score``. Read from
    ``costs`` files, the first with the highest precedence; otherwise a default, or the engine's own rough number.
    ``now`` is what :func:`machine_seconds` gives for this machine.
    """

    def __init__(self, *costs: Path, now: float = 0.0) -> None:
        self._recorded: dict[tuple[str, str], float] = {}
        for path in reversed(costs):
            self._recorded |= _history(path, now)

    def seconds(self, kind: str, name: str) -> float:
        """Seconds per image to ``score`` by a method, or per image and epoch to ``fit`` it."""
        return self._recorded.get((kind, name), _DEFAULTS[kind])

    def artefact(self, recipe: Recipe) -> float:
        """Seconds per image to make a recipe's artefacts."""
        recorded = self._recorded.get(("artefacts", recipe.engine))
        if recorded is not None:
            return recorded * max(1, forwards(recipe))
        return _DEFAULTS["artefacts"] if recipe.engine in PRESENTED else discover.engine(recipe.engine).seconds


def rates(results: Results, mini: bool) -> Rates:
    """The rates of earlier runs into a results folder; for ``mini`` weights also those that the package records."""
    return Rates(results.costs, *((_RECORDED,) if mini else ()), now=machine_seconds())


def _history(path: Path, now: float) -> dict[tuple[str, str], float]:
    """Seconds per unit by (kind, name), averaged over everything that earlier runs computed, on this machine."""
    totals: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                total = totals[line["kind"], line["name"]]
                total[0] += float(line["seconds"])
                total[1] += float(line.get("units") or 0)  # Files of earlier versions count other things.
    recorded = {key: seconds / units for key, (seconds, units) in totals.items() if units}
    then = recorded.pop(SPEED, 0.0)
    return {key: rate * (now / then if now and then else 1.0) for key, rate in recorded.items()}


def estimate_bytes(recipe: Recipe, pixels: float) -> float:
    """Size of one artefact in the store; ``pixels`` is the mean number of its images."""
    payload = "png" if recipe.engine in PRESENTED else discover.engine(recipe.engine).payload
    return _OVERHEAD + (pixels * _PNG_BYTES_PER_PIXEL if payload == "png" else 0)


def _artefacts(plan: Plan, store: Store, known: Rates) -> list[dict[str, Any]]:
    by_recipe: dict[str, list[Job]] = defaultdict(list)
    for job in plan.jobs:
        by_recipe[job.recipe.key].append(job)
    entries = []
    for key, jobs in by_recipe.items():
        recipe = jobs[0].recipe
        needed = dict.fromkeys(identity for job in jobs for identity in (item.image_id for item in job.usable))
        missing = store.missing(recipe, needed)
        sampled = [(job, job.usable[::_SAMPLED]) for job in jobs] if missing else []
        pixels = [math.prod(size) for job, items in sampled for size in view_sizes(job, items)]
        mean = sum(pixels) / len(pixels) if pixels else 0.0
        entries.append(
            {
                "recipe": key,
                "engine": recipe.engine,
                "slices": sorted({f"{job.slice.name}@{job.slice.protocol}" for job in jobs}),
                "needed": len(needed),
                "cached": len(needed) - len(missing),
                "missing": len(missing),
                "forwards": forwards(recipe) * len(missing),
                "seconds": len(missing) * known.artefact(recipe),
                "bytes": int(len(missing) * estimate_bytes(recipe, mean)),
            }
        )
    return entries


def disk_bytes(plan: Plan, store: Store) -> int:
    """Rough size of the artefacts that are missing."""
    return sum(entry["bytes"] for entry in _artefacts(plan, store, Rates()))


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
            "images": sum(len(plan.slices[key].usable) for key in fit.trained_on),
            "done": is_fitted(store, fit),
        }
        for fit in plan.fits
    ]


def estimate(
    plan: Plan, methods: Methods, store: Store, results: Results, known: Rates, processes: Processes, device: str
) -> dict[str, Any]:
    """The document of ``plan --json``: cells, fits, artefacts, and their totals.

    ``seconds`` of an entry are those of one process; the total is for as many processes as a run on ``device`` starts.
    """
    artefacts, fits, cells = _artefacts(plan, store, known), _fits(plan, store), _cells(plan, results)
    seconds = sum(a["seconds"] for a in artefacts)
    epochs = {chosen.label: passes(chosen.method) for chosen in methods.values()}
    for kind, units in (("fit", fits), ("score", cells)):
        for unit in units:
            if not unit["done"]:
                times = epochs[unit["method"]] if kind == "fit" else 1
                seconds += known.seconds(kind, unit["method"]) * unit["images"] * times
    units = sum(math.ceil(a["missing"] / CHUNK) for a in artefacts) + sum(not fit["done"] for fit in fits)
    at_once = processes.count(device, units, seconds)
    return {
        "cells": cells,
        "holes": [vars(hole) for hole in plan.holes],
        "passed_over": plan.passed,
        "left_out": {f"{part.name}@{part.protocol}": part.left_out for part in plan.slices.values() if part.left_out},
        "fits": fits,
        "artefacts": artefacts,
        "forwards": sum(a["forwards"] for a in artefacts),
        "processes": at_once,
        "seconds": round(seconds / at_once, 1),
        "bytes": sum(a["bytes"] for a in artefacts),
    }
