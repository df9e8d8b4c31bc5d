"""Write what probes make of the images of a slice: numbers, pictures and texts, or the time that they take."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from bench import discover
from bench.artefacts.engine import RGB
from bench.artefacts.engines.pixel_error import beside, geometry
from bench.data.decode import encode_png
from bench.execution import timing
from bench.execution.session import Session
from bench.results import shown
from bench.types import Item, Plan, Probe

#: The longer side in pixels of an image that is kept beside a text or a map.
SHOWN = 512


def write_probes(plan: Plan, session: Session) -> None:
    """Write the values of every probe; images without a value are left out, and measured again by the next run."""
    for probe in (probe for probe in plan.probes if not probe.reason):
        path = session.results.probe_path(probe)
        blocked = None if probe.use == "timed" else session.blocked(tuple(r.key for r in probe.recipe.closure()))
        if blocked is not None:
            session.failed[probe.key] = blocked
        elif not session.results.has_scores(path, probe.key):
            title = f"{probe.name} of {probe.slice.name}"
            session.attempt(probe.key, title, partial(session.repair, partial(_write, probe, session)))


def _write(probe: Probe, session: Session) -> None:
    path = session.results.probe_path(probe)
    if probe.use == "timed":
        shown.write_times(path, timing.measure(probe, session), probe.key)
        return
    lost = session.lost.get(probe.recipe.key, {})
    items = [item for item in probe.slice.usable if item.image_id not in lost]
    if lost:
        missing = len(probe.slice.usable) - len(items)
        session.progress.warn(f"{missing} images of {probe.slice.name} have no {probe.name}")
    key = "" if lost else probe.key
    if probe.use == "shown":
        shown.write(path, [_shown(probe, item, session) for item in items], key)
        return
    values = [float(session.reader.artefact(probe.recipe, item)) for item in items]
    session.results.write_probe(path, items, values, key)


def _shown(probe: Probe, item: Item, session: Session) -> shown.Shown:
    """One image of a gallery, and what is shown of it."""
    reader, kind = session.reader, discover.engine(probe.recipe.engine).payload
    artefact, rgb = reader.artefact(probe.recipe, item), reader.image(probe.slice, item)
    if kind == "png":
        rgb, data = beside(rgb, artefact.shape[:2], geometry(probe.recipe)), encode_png(artefact)
    elif kind == "txt":
        rgb, data = _small(rgb), artefact.encode()
    else:
        side = int(probe.recipe.params.get("size", SHOWN))
        rgb = np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC))
        kind, data = "npy", _npy(artefact)
    return shown.Shown(item.row_id, item.image_id, item.label, item.class_name, kind, data, encode_png(rgb))


def _npy(array: Any) -> bytes:  # noqa: ANN401 - an array of any type
    """A map [C, H, W] as its mean over channels, float32 [H, W], in numpy's format."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array, np.float32).mean(0), allow_pickle=False)
    return buffer.getvalue()


def _small(rgb: RGB) -> RGB:
    image = Image.fromarray(rgb)
    image.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return np.asarray(image)
