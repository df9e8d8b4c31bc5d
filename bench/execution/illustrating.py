"""What engines made of the images that detectors judge worst, as small pictures for the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from scipy.special import expit

from bench import discover
from bench.artefacts.engine import RGB
from bench.artefacts.engines.pixel_error import beside, geometry
from bench.artefacts.presented import PRESENTED
from bench.artefacts.store import MissingArtefact
from bench.detector import is_baseline
from bench.execution.fitting import status_of
from bench.execution.session import Session
from bench.planning.matrix import detectors
from bench.planning.needs import needs, noise_of
from bench.planning.request import Request
from bench.recipe import Recipe, content_key
from bench.results import illustrations
from bench.results.illustrations import IMAGE, PICTURE, SIDE, TEXT, Illustration, webp
from bench.types import OK, Cell, Item, Plan, Slice

#: |x − x̂| is multiplied by this, so that small errors are seen.
GAIN = 4


@dataclass
class _Chosen:
    """The images of one slice that are shown, and what is shown of them: recipes with the methods that use them."""

    part: Slice
    rows: set[str] = field(default_factory=set)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    methods: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))


def illustrate(plan: Plan, request: Request, session: Session, worst: int) -> None:
    """Write illustrations of the ``worst`` mistakes of each detector on each test slice; with 0 there are none.

    Nothing is written if the scores are those of the file that is there. Artefacts that cannot be read are left out
    and counted in a note.
    """
    results, groups = session.results, _groups(plan, request, session) if worst else []
    if not groups:
        results.illustrations.unlink(missing_ok=True)
        return
    key = content_key(["illustrations", worst, sorted(cell.key for cells in groups for cell in cells)])
    if results.has_scores(results.illustrations, key):
        return
    lines: list[Illustration] = []
    unread = 0
    for chosen in _chosen(groups, request, session, worst).values():
        for item in (item for item in chosen.part.usable if item.row_id in chosen.rows):
            for line in _of_image(chosen, item, session):
                if line is None:
                    unread += 1
                else:
                    lines.append(line)
    if unread:
        session.progress.note(f"{unread} artefacts of the worst mistakes cannot be read; the page does not show them.")
    illustrations.write(results, lines, key)


def _groups(plan: Plan, request: Request, session: Session) -> list[list[Cell]]:
    """The scored test cells of each detector on each slice, one per seed; trivial baselines are no detectors."""
    known = detectors(request)
    groups: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for cell in plan.cells:
        chosen = known.get((cell.fit.method, cell.fit.variant))
        place = (cell.test.role, cell.fit.task, cell.perturbation)
        if chosen is None or is_baseline(chosen.method) or place != ("test", "detect", "none"):
            continue
        if status_of(cell, session)[0] == OK:
            groups[cell.test.key, cell.fit.label, cell.fit.source, cell.fit.protocol].append(cell)
    return list(groups.values())


def _chosen(groups: Sequence[Sequence[Cell]], request: Request, session: Session, worst: int) -> Mapping[str, _Chosen]:
    """What is shown of each slice, by the slice's key."""
    known, found = detectors(request), dict[str, _Chosen]()
    for cells in groups:
        part = cells[0].test
        chosen = found.setdefault(part.key, _Chosen(part))
        chosen.rows.update(_worst(cells, session, worst))
        method = known[cells[0].fit.method, cells[0].fit.variant].method
        for need in needs(method, "test", noise_of(cells[0])).values():
            for recipe in session.zoo.resolve(part.bound(need)).closure():
                if recipe.engine not in PRESENTED:
                    chosen.recipes[recipe.key] = recipe
                    chosen.methods[recipe.key][cells[0].fit.label] = None
    return found


def _worst(cells: Sequence[Cell], session: Session, worst: int) -> list[str]:
    """The rows of one detector's largest errors |P(fake) − label|, the worst first.

    P(fake) is the mean over the seeds, of images that all of them have scored; an error of a half or less is none.
    """
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


def _of_image(chosen: _Chosen, item: Item, session: Session) -> Iterator[Illustration | None]:
    """The image and what each recipe made of it; None for an artefact that cannot be read."""
    part = chosen.part
    place = (part.dataset, part.subset, part.protocol, item.row_id)
    rgb = session.reader.image(part, item)
    yield Illustration(*place, IMAGE, "", "", webp(Image.fromarray(rgb)))
    for key, recipe in chosen.recipes.items():
        try:
            made = session.reader.artefact(recipe, item)
        except MissingArtefact:
            yield None
            continue
        for kind, name, data in _shown(recipe, rgb, made):
            yield Illustration(*place, kind, name, ", ".join(chosen.methods[key]), data)


def _shown(recipe: Recipe, rgb: RGB, made: Any) -> Iterator[tuple[str, str, bytes]]:  # noqa: ANN401 - an artefact
    """An artefact as pictures or a text, with what they are; embeddings and single numbers are not shown."""
    engine = discover.engine(recipe.engine)
    if engine.payload == "txt":
        yield TEXT, recipe.engine, made.encode()
    elif engine.payload == "png":
        yield PICTURE, recipe.engine, webp(Image.fromarray(made))
        if engine.reconstructs:
            seen = beside(rgb, made.shape[:2], geometry(recipe))
            gap = np.abs(seen.astype(np.int16) - made.astype(np.int16))
            error = np.minimum(GAIN * gap, 255).astype(np.uint8)
            yield PICTURE, f"{recipe.engine}: {GAIN} × |x − x̂|", webp(Image.fromarray(error))
    elif isinstance(made, np.ndarray) and made.ndim == 3:
        yield PICTURE, f"{recipe.engine}: mean over channels, scaled to its range", webp(_grey(made))


def _grey(array: np.ndarray[Any, Any]) -> Image.Image:
    """A map [C, H, W] as a grey image, the mean over channels from its minimum to its maximum, enlarged."""
    values = array.astype(np.float64).mean(0)
    grey = 255 * (values - values.min()) / max(float(np.ptp(values)), 1e-12)
    image = Image.fromarray(grey.round().astype(np.uint8)).convert("RGB")
    scale = SIDE / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.NEAREST)
