"""Apply protocols and perturbations: the only artefacts that need no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.artefacts.store import Store
from bench.data import codecs, perturb
from bench.data.decode import RGB, decode, encode_png
from bench.data.protocols import ALIGNED_VERSION, QUALITY, perform, read_source
from bench.operations import Encoding, Operation
from bench.recipe import Recipe
from bench.types import Item, Job

#: The recipes that this module makes, by the name in their ``engine`` field.
PRESENTED = ("aligned", "harmonised", "codec", "jpeg", "perturb")
#: Their present versions.
VERSIONS: Mapping[str, int] = {
    "aligned": ALIGNED_VERSION,
    "harmonised": ALIGNED_VERSION,
    "codec": codecs.CODEC_VERSION,
    "jpeg": perturb.JPEG_VERSION,
    "perturb": perturb.VERSION,
}


def _present_image(job: Job, item: Item, store: Store) -> RGB:
    """One image after the protocol or perturbation of a job's recipe."""
    operation = job.slice.operations.get(item.row_id)
    if job.recipe.engine in ("aligned", "harmonised") and isinstance(operation, Operation):
        return perform(operation, read_source(item), QUALITY if job.recipe.engine == "aligned" else 0)
    if job.recipe.engine == "codec" and isinstance(operation, Encoding):
        return codecs.encode(operation, read_source(item))
    source = job.recipe.inputs["image"]
    rgb = decode(store.get(source, item.image_id)).rgb if isinstance(source, Recipe) else read_source(item)
    return perturb.perform(job.recipe, rgb, item.image_id)


def present(job: Job, chunk: Sequence[Item], store: Store) -> dict[str, bytes]:
    """One chunk of a job's images after its protocol or perturbation, as PNG bytes by image id."""
    return {item.image_id: encode_png(_present_image(job, item, store)) for item in chunk}
