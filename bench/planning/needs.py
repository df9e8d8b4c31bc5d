"""The artefacts that a method needs for a fit or a cell, with the noise that these have."""

from __future__ import annotations

from dataclasses import replace

from bench import discover
from bench.controls import OTHER_NOISE
from bench.detector import Method, Stage
from bench.recipe import Recipe
from bench.types import Cell


def _draws(recipe: Recipe) -> bool:
    """Whether an artefact, or one that it depends on, is drawn from noise."""
    inputs = (value for value in recipe.inputs.values() if isinstance(value, Recipe))
    return discover.engine(recipe.engine).draws_noise or any(map(_draws, inputs))


def draws_noise(method: Method) -> bool:
    """Whether an artefact that a method needs in testing depends on noise."""
    return any(map(_draws, method.needs("test").values()))


def _reseeded(recipe: Recipe, by: int) -> Recipe:
    inputs = {n: _reseeded(v, by) if isinstance(v, Recipe) else v for n, v in recipe.inputs.items()}
    drawn = discover.engine(recipe.engine).draws_noise
    return replace(recipe, inputs=inputs, seed=recipe.seed + by if drawn else recipe.seed)


def needs(method: Method, stage: Stage, noise: int = 0) -> dict[str, Recipe]:
    """A method's needs by name, with ``noise`` added to the seed of every artefact that is drawn from noise."""
    return {name: _reseeded(need, noise) if noise else need for name, need in method.needs(stage).items()}


def noise_of(cell: Cell) -> int:
    """What is added to the seeds of a cell's artefacts."""
    return cell.fit.noise + (OTHER_NOISE + cell.fit.seed if cell.perturbation == "other_noise" else 0)
