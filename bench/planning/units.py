"""Cut a plan into units: a chunk of artefacts, or a fit with its cells.

One process runs a unit from start to end, and different units may run at the same time. The result of a unit depends
neither on the process nor on the units that it ran before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.artefacts.store import Store
from bench.detector import STAGES, Method, Stage
from bench.planning.chunks import chunks, missing_chunks
from bench.planning.estimate import Rates, passes
from bench.planning.needs import needs, noise_of
from bench.planning.request import Chosen
from bench.recipe import Recipe, Resolve
from bench.results.folder import Results
from bench.training.fits import is_fitted, waiting
from bench.types import Cell, Fit, Plan, Slice

Methods = Mapping[tuple[str, str], Chosen]


@dataclass(frozen=True)
class Chunk:
    """One chunk of a job's images to make artefacts of.

    ``job`` is the index of the job in the plan, ``number`` that of the chunk in the job, ``engine`` the key of what has
    to be loaded for it, ``images`` the number of artefacts to make, ``seconds`` the estimated time, ``after`` the keys
    of the recipes that must be complete. ``wanted`` are the ids of the images whose artefacts are kept. The whole chunk
    is computed, so that its batches are always the same; with ``alone`` only the wanted images are.
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
        """The two halves of the wanted images, each computed alone."""
        middle = len(self.wanted) // 2
        first, second = (
            replace(self, wanted=part, images=len(part), alone=True)
            for part in (self.wanted[:middle], self.wanted[middle:])
        )
        return first, second


@dataclass(frozen=True)
class Trial:
    """A fit and its cells that are not scored yet; ``after`` are the recipes that must be complete or have failed."""

    fit: Fit
    cells: tuple[Cell, ...]
    seconds: float
    after: frozenset[str]

    @property
    def title(self) -> str:
        """The fit's title."""
        return self.fit.title


Unit = Chunk | Trial


def cut_jobs(plan: Plan, store: Store, rates: Rates) -> list[Chunk]:
    """The missing chunks of all artefacts, in the plan's order, in which each recipe follows those it depends on."""
    units, claimed = [], defaultdict[str, set[str]](set)
    for index, job in enumerate(plan.jobs):
        recipe = job.recipe
        after = frozenset(needed.key for needed in recipe.closure()) - {recipe.key}
        title = f"{recipe.engine} artefacts" + (f", {job.slice.protocol}" if recipe != job.slice.image else "")
        members = chunks(job)
        for number, present in missing_chunks(members, recipe, store, claimed[recipe.key]):
            wanted = tuple(item.image_id for item in members[number] if item.image_id not in present)
            seconds = len(members[number]) * rates.artefact(recipe)
            work = (recipe.engine_key, title, len(wanted), seconds, after, wanted)
            units.append(Chunk(index, number, recipe.key, *work))
    return units


def cut_fits(
    plan: Plan, methods: Methods, store: Store, results: Results, rates: Rates, resolve: Resolve
) -> list[Trial]:
    """The fits with work left, longest first, so that no process runs a long one alone at the end."""
    cells, trials = defaultdict[str, list[Cell]](list), []
    for cell in plan.cells:
        if not results.has_scores(results.scores_path(cell), cell.key):
            cells[cell.fit.key].append(cell)
    for fit in plan.fits:
        unscored, fitted = tuple(cells[fit.key]), is_fitted(store, fit) and not waiting(store, fit)
        if fitted and not unscored:
            continue
        images = 0 if fitted else sum(len(plan.slices[key].usable) for key in fit.trained_on)
        method = methods[fit.method, fit.variant].method
        seconds = images * passes(method) * rates.seconds("fit", fit.label)
        seconds += sum(len(cell.test.usable) for cell in unscored) * rates.seconds("score", fit.label)
        parts = [(plan.slices[key], fit.noise) for key in (*fit.trained_on, *fit.val)]
        parts += [(cell.test, noise_of(cell)) for cell in unscored]
        trials.append(Trial(fit, unscored, seconds, recipes_read(method, parts, resolve, stages_of(fit))))
    return sorted(trials, key=lambda trial: -trial.seconds)


def stages_of(fit: Fit) -> tuple[Stage, ...]:
    """The stages in which a fit reads artefacts: released weights are only tested."""
    return STAGES if fit.trained_on else ("test",)


def recipes_read(
    method: Method, parts: Sequence[tuple[Slice, int]], resolve: Resolve, stages: Iterable[Stage]
) -> frozenset[str]:
    """Keys of the recipes that a method reads for the images of some slices, and of all that they depend on.

    Each slice has the noise of its artefacts beside it.
    """
    keys: set[str] = set()
    for image in {part.image for part, _ in parts}:
        keys |= {recipe.key for recipe in image.closure()} if isinstance(image, Recipe) else set()
    bound: set[Recipe] = set()
    for noise in {noise for _, noise in parts}:
        wanted = {need for stage in stages for need in needs(method, stage, noise).values()}
        members = [part for part, theirs in parts if theirs == noise]
        bound |= {part.bound(n) for n in wanted for part in (members if n.of_slice else _distinct(members))}
    for need in bound:
        keys |= {recipe.key for recipe in resolve(need).closure()}
    return frozenset(keys)


def _distinct(parts: Sequence[Slice]) -> Iterable[Slice]:
    """One slice for each distinct origin of pixels."""
    return {part.image: part for part in parts}.values()
