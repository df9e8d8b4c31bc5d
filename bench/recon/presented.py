"""Make the images of a protocol or a perturbation: the one kind of artefact that needs no network."""

from __future__ import annotations

from bench.data import perturb
from bench.data.decode import RGB, decode, encode_png
from bench.data.protocols import perform, read_source
from bench.progress import Meter, Progress
from bench.recipe import Recipe
from bench.recon.batching import missing_chunks
from bench.recon.store import Store
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


def make_presented(job: Job, store: Store, meter: Meter, progress: Progress) -> None:
    """Write what a job's protocol or perturbation makes of its slice's images, as PNG."""
    todo = missing_chunks(job, store)
    if not todo:
        return
    title = f"{job.recipe.engine} images of {job.slice.name}"
    with progress.stage(title, sum(map(len, todo))), store.writer(job.recipe, "png") as writer:
        for chunk in todo:
            records = {i.image_id: encode_png(_shown(job, i, store)) for i in chunk}
            writer.put(records)
            meter.artefacts_made += len(records)
            progress.advance(len(chunk))
