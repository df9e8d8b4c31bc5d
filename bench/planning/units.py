"""A plan cut into units, each done by one process from start to end: a chunk of artefacts, or a fit with its cells.

Units are what may run at the same time. No unit's result depends on which process does it, or on what it did before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.artefacts.batching import chunks, missing_chunks
from bench.artefacts.store import Store
from bench.detector import STAGES, Method
from bench.planning.estimate import Rates
from bench.planning.request import Chosen
from bench.recipe import Recipe
from bench.results.folder import Results
from bench.training.fits import is_fitted, waiting
from bench.types import Cell, Fit, Plan, Slice

Methods = Mapping[tuple[str, str], Chosen]
HashOf = Callable[[str], str]


@dataclass(frozen=True)
class Chunk:
    """One chunk of a job's images to make artefacts of.

    ``job`` is the job's place in the plan, ``number`` the chunk's in the job, ``engine`` what has to be loaded for it,
    ``images`` how many are made, ``after`` the recipes that must be whole. ``wanted`` are the ids of the images whose
    artefacts are kept; the chunk is computed whole, so that its batches are the same, unless they go ``alone``.
    """

    job: int
    number: int
    recipe: str
    engine: str
    title: str
    images: int
    seconds: float
    after: frozenset[str]
    wanted: tuple[str, ...] = ()
    alone: bool = False

    def halves(self) -> tuple[Chunk, Chunk]:
        """The two halves of what is wanted, each computed alone."""
        middle = len(self.wanted) // 2
        first, second = (
            replace(self, wanted=part, images=len(part), alone=True)
            for part in (self.wanted[:middle], self.wanted[middle:])
        )
        return first, second


@dataclass(frozen=True)
class Trial:
    """A fit and those of its cells that are not scored yet; ``after`` are the recipes that must be whole or failed."""

    fit: Fit
    cells: tuple[Cell, ...]
    seconds: float
    after: frozenset[str]

    @property
    def title(self) -> str:
        """For people: that of the fit."""
        return self.fit.title


Unit = Chunk | Trial


def cut_jobs(plan: Plan, store: Store, rates: Rates) -> list[Chunk]:
    """The missing chunks of all artefacts, in the plan's order, which makes first what others stand on."""
    found, claimed = [], defaultdict[str, set[str]](set)
    for place, job in enumerate(plan.jobs):
        recipe = job.recipe
        after = frozenset(other.key for other in recipe.closure()) - {recipe.key}
        title = f"{recipe.engine} artefacts" + (f", {job.slice.protocol}" if recipe != job.slice.image else "")
        members = chunks(job)
        for number, there in missing_chunks(job, store, claimed[recipe.key]):
            wanted = tuple(item.image_id for item in members[number] if item.image_id not in there)
            seconds = len(members[number]) * rates.artefact(recipe)
            work = (recipe.engine_key, title, len(wanted), seconds, after, wanted)
            found.append(Chunk(place, number, recipe.key, *work))
    return found


def cut_fits(
    plan: Plan, methods: Methods, store: Store, results: Results, rates: Rates, hash_of: HashOf
) -> list[Trial]:
    """The fits with work left, the longest first, so that no process is left alone with a long one at the end."""
    cells, found = defaultdict[str, list[Cell]](list), []
    for cell in plan.cells:
        if not results.has_scores(results.scores_path(cell), cell.key):
            cells[cell.fit.key].append(cell)
    for fit in plan.fits:
        mine, fitted = tuple(cells[fit.key]), is_fitted(store, fit) and not waiting(store, fit)
        if fitted and not mine:
            continue
        images = 0 if fitted else sum(len(plan.slices[key].usable) for key in fit.train)
        seconds = images * rates.seconds("fit", fit.label)
        seconds += sum(len(cell.test.usable) for cell in mine) * rates.seconds("score", fit.label)
        method = methods[fit.method, fit.variant].method
        parts = [*(cell.test for cell in mine), *(plan.slices[key] for key in (*fit.train, *fit.val))]
        found.append(Trial(fit, mine, seconds, _read(method, parts, hash_of)))
    return sorted(found, key=lambda trial: -trial.seconds)


def _read(method: Method, parts: Sequence[Slice], hash_of: HashOf) -> frozenset[str]:
    """The recipes that a method reads for images of some slices, with all that they stand on."""
    needs = {need for stage in STAGES for need in method.needs(stage).values()}
    keys: set[str] = set()
    for image in {part.image for part in parts}:
        keys |= {made.key for made in image.closure()} if isinstance(image, Recipe) else set()
    bound = {part.bound(need) for need in needs for part in (parts if need.uses_class else _distinct(parts))}
    for need in bound:
        keys |= {made.key for made in need.resolve({role: hash_of(role) for role in need.roles()}).closure()}
    return frozenset(keys)


def _distinct(parts: Sequence[Slice]) -> Iterable[Slice]:
    """One slice of each source of pixels."""
    return {part.image: part for part in parts}.values()
