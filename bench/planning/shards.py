"""Divide a plan among machines that share a store (``--shard I/N``), without any of them waiting for another.

Artefacts are divided by image: a shard makes everything that its images need, captions as well as what is made from
them. Fits are divided in the plan's order, each with its cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bench.errors import UserError
from bench.planning.needs import noise_of
from bench.planning.units import Methods, recipes_read, stages_of
from bench.recipe import DONORS, Resolve
from bench.types import Item, Job, Plan, Slice


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count``, counted from 1."""

    index: int
    count: int

    def has(self, number: int) -> bool:
        """Whether this part has the thing with that number."""
        return number % self.count == self.index - 1


def read(text: str) -> Shard:
    """The shard that ``I/N`` names. Raises UserError for anything else."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    shard = Shard(*map(int, match.groups())) if match else Shard(0, 0)
    if not 1 <= shard.index <= shard.count:
        raise UserError(
            f"--shard {text!r} is not a part of the work.",
            "It has the form I/N, with I from 1 to N.",
            "For the first of eight machines, write --shard 1/8.",
        )
    return shard


def _has_image(item: Item, shard: Shard) -> bool:
    return shard.has(int(item.content[:12], 16))


def part_of_images(plan: Plan, shard: Shard) -> Plan:
    """The artefacts of the plan for a share of the images.

    Artefacts that depend on another image of the slice are left to `run`: that image may be in another share.
    """
    shares: dict[str, Slice] = {}
    jobs = []
    for job in (job for job in plan.jobs if DONORS not in job.recipe.of_slice):
        key = job.slice.key
        if key not in shares:
            items = tuple(item for item in job.slice.items if _has_image(item, shard))
            shares[key] = replace(job.slice, items=items)
        if shares[key].items:
            jobs.append(Job(job.recipe, shares[key], job.labels))
    return Plan({}, tuple(jobs), (), ())


def part_of_fits(plan: Plan, shard: Shard, methods: Methods, resolve: Resolve) -> Plan:
    """A share of the fits and probes, with their cells and the artefacts that they need."""
    fits = tuple(fit for number, fit in enumerate(plan.fits) if shard.has(number))
    probes = tuple(probe for number, probe in enumerate(plan.probes) if shard.has(number))
    kept = {fit.key for fit in fits}
    cells = tuple(cell for cell in plan.cells if cell.fit.key in kept)
    wanted: set[tuple[str, str]] = set()
    for fit in fits:
        parts = [(plan.slices[key], fit.noise) for key in (*fit.trained_on, *fit.val)]
        parts += [(cell.test, noise_of(cell)) for cell in cells if cell.fit.key == fit.key]
        for part, noise in parts:
            method = methods[fit.method, fit.variant].method
            read_here = recipes_read(method, [(part, noise)], resolve, stages_of(fit))
            wanted |= {(recipe, part.key) for recipe in read_here}
    for probe in probes:
        wanted |= {(recipe.key, probe.slice.key) for recipe in probe.recipe.closure()}
    jobs = tuple(job for job in plan.jobs if (job.recipe.key, job.slice.key) in wanted)
    return replace(plan, jobs=jobs, fits=fits, cells=cells, probes=probes)
