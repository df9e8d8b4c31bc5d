"""What engines made of the images that detectors judge worst, as small pictures for the page."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image
from scipy.special import expit

from bench import discover
from bench.artefacts.engine import RGB
from bench.artefacts.engines.pixel_error import beside, geometry
from bench.artefacts.presented import PRESENTED
from bench.artefacts.store import MissingArtefact
from bench.detector import Detector
from bench.execution.fitting import status_of
from bench.execution.session import Session
from bench.planning.needs import needs
from bench.planning.request import Chosen, Request
from bench.recipe import Recipe
from bench.results import illustrations
from bench.results.illustrations import ERROR, IMAGE, MAP, PICTURE, TEXT, Illustration
from bench.types import OK, Cell, Item, Plan, Slice

#: Longer side of a picture in pixels, and its quality as WebP.
SIDE, QUALITY = 192, 80
#: |x − x̂| is multiplied by this, so that small errors are seen.
GAIN = 4


def illustrate(plan: Plan, request: Request, session: Session, worst: int) -> None:
    """Write illustrations of the ``worst`` mistakes of each detector on each test slice, of all its seeds together.

    What the store lacks is left out and counted in a note.
    """
    chosen = [one for one in request.methods if isinstance(one.method, Detector)]
    lines: list[Illustration] = []
    missing = 0
    for part, rows in mistakes(plan, session, worst).values():
        recipes = _recipes(part, chosen, session)
        for item in (item for item in part.usable if item.row_id in rows):
            try:
                lines += _of_image(part, item, recipes, session)
            except MissingArtefact:
                missing += 1
    if missing:
        session.progress.note(f"{missing} of the worst mistakes have no pictures: an artefact of theirs is missing.")
    illustrations.write(session.results, lines)


def mistakes(plan: Plan, session: Session, worst: int) -> dict[str, tuple[Slice, set[str]]]:
    """The slices with the rows of the worst mistakes, by the slice's key.

    A mistake is an image whose mean P(fake) over the seeds is on the wrong side of 0.5.
    """
    groups: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for cell in plan.cells:
        place = (cell.test.role, cell.fit.task, cell.perturbation)
        if place == ("test", "detect", "none") and status_of(cell, session)[0] == OK:
            groups[cell.test.key, cell.fit.label, cell.fit.source, cell.fit.protocol].append(cell)
    found: dict[str, tuple[Slice, set[str]]] = {}
    for cells in groups.values():
        _, rows = found.setdefault(cells[0].test.key, (cells[0].test, set()))
        rows.update(_worst(cells, session, worst))
    return found


def _worst(cells: list[Cell], session: Session, worst: int) -> list[str]:
    """The rows of the largest errors |P(fake) − label| of one detector above a half, the worst first."""
    errors: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        path = session.results.scores_path(cell).relative_to(session.results.root).as_posix()
        scores = session.results.read_scores(path)
        for row, label, logit, status in zip(scores.row_id, scores.label, scores.logit, scores.status, strict=True):
            if status == OK and label is not None:
                errors[row].append(abs(float(expit(logit)) - label))
    means = {row: sum(found) / len(found) for row, found in errors.items() if len(found) == len(cells)}
    wrong = sorted((row for row, mean in means.items() if mean > 0.5), key=lambda row: (-means[row], row))
    return wrong[:worst]


def _recipes(part: Slice, chosen: list[Chosen], session: Session) -> list[tuple[Recipe, str]]:
    """What can be shown of a slice's images, with the titles of the methods that use it."""
    found: dict[str, Recipe] = {}
    used: dict[str, dict[str, None]] = defaultdict(dict)
    for one in chosen:
        for need in needs(one.method, "test").values():
            for recipe in session.zoo.resolve(part.bound(need)).closure():
                if recipe.engine not in PRESENTED:
                    found[recipe.key] = recipe
                    used[recipe.key][one.method.card.title] = None
    return [(recipe, ", ".join(used[key])) for key, recipe in found.items()]


def _of_image(part: Slice, item: Item, recipes: list[tuple[Recipe, str]], session: Session) -> list[Illustration]:
    """The image, and what each recipe made of it."""
    rgb = session.reader.image(part, item)
    place = (part.dataset, part.subset, part.protocol, item.row_id)
    lines = [Illustration(*place, IMAGE, "", "", webp(rgb))]
    for recipe, methods in recipes:
        if item.image_id not in session.lost.get(recipe.key, {}):
            made = session.reader.artefact(recipe, item)
            lines += [
                Illustration(*place, kind, recipe.engine, methods, data) for kind, data in _shown(recipe, rgb, made)
            ]
    return lines


def _shown(recipe: Recipe, rgb: RGB, made: Any) -> Iterator[tuple[str, bytes]]:  # noqa: ANN401 - what the engine made
    """An artefact as pictures or a text; embeddings and single numbers are not shown."""
    engine = discover.engine(recipe.engine)
    if engine.payload == "txt":
        yield TEXT, made.encode()
    elif engine.payload == "png":
        yield PICTURE, webp(made)
        if engine.reconstructs:
            seen = beside(rgb, made.shape[:2], geometry(recipe))
            gap = np.abs(seen.astype(np.int16) - made.astype(np.int16))
            yield ERROR, webp(np.minimum(GAIN * gap, 255).astype(np.uint8))
    elif isinstance(made, np.ndarray) and made.ndim == 3:
        values = made.astype(np.float64).mean(0)
        grey = 255 * (values - values.min()) / max(float(np.ptp(values)), 1e-12)
        yield MAP, webp(np.repeat(grey.round().astype(np.uint8)[..., None], 3, -1), Image.Resampling.NEAREST)


def webp(rgb: RGB, enlarge: Image.Resampling | None = None) -> bytes:
    """uint8 [H, W, 3] as a WebP whose longer side has at most :data:`SIDE` pixels, or with ``enlarge`` just as many."""
    image = Image.fromarray(rgb)
    if enlarge is not None:
        scale = SIDE / max(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), enlarge)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()
