"""Make the images of a protocol or a perturbation: the one kind of artefact that needs no network."""

from __future__ import annotations

from collections.abc import Sequence

from bench.artefacts.store import Store
from bench.data import perturb
from bench.data.decode import RGB, decode, encode_png
from bench.data.protocols import perform, read_source
from bench.recipe import Recipe
from bench.types import Item, Job

#: Recipes that are made here.
PRESENTED = ("aligned", "jpeg")


def _shown(job: Job, item: Item, store: Store) -> RGB:
    """One image as a job's recipe presents it."""
    if job.recipe.engine == "aligned":
        return perform(job.slice.operations[item.row_id], read_source(item))
    before = job.recipe.inputs["image"]
    rgb = decode(store.get(before, item.image_id)).rgb if isinstance(before, Recipe) else read_source(item)
    return perturb.perform(job.recipe, rgb)


def present(job: Job, chunk: Sequence[Item], store: Store) -> dict[str, bytes]:
    """What a job's protocol or perturbation makes of one chunk of its images, as PNG."""
    return {item.image_id: encode_png(_shown(job, item, store)) for item in chunk}
