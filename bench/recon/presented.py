"""Make the images of a protocol: the one kind of artefact that needs no network."""

from __future__ import annotations

from bench.data.decode import encode_png
from bench.data.protocols import perform, read_source
from bench.progress import Meter, Progress
from bench.recon.batching import missing_chunks
from bench.recon.store import Store
from bench.types import Job


def make_presented(job: Job, store: Store, meter: Meter, progress: Progress) -> None:
    """Write what a job's protocol makes of its slice's images, as PNG."""
    todo = missing_chunks(job, store)
    if not todo:
        return
    title = f"{job.slice.protocol} images of {job.slice.name}"
    with progress.stage(title, sum(map(len, todo))), store.writer(job.recipe, "png") as writer:
        for chunk in todo:
            operations = job.slice.operations
            records = {i.image_id: encode_png(perform(operations[i.row_id], read_source(i))) for i in chunk}
            writer.put(records)
            meter.artefacts_made += len(records)
            progress.advance(len(chunk))
