"""Small copies of test images for the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from bench.results import illustrations
from bench.results.folder import Results
from bench.results.illustrations import TEXT, webp


def embedded(results: Results, roots: Sequence[Path]) -> tuple[dict[tuple[str, str], str], int]:
    """Test images below ``roots`` as data URLs by (dataset, path), and how many images were not found there.

    An image is looked for at its path below each root, and below the dataset's name there. A file of another size than
    the one that was tested is another image.
    """
    if not roots or not results.images.exists():
        return {}, 0
    table = pd.read_parquet(results.images)
    table = table[(table["role"] == "test") & (table["status"] == "ok")].drop_duplicates(["dataset", "path"])
    found, missing = {}, 0
    for dataset, path, size in table[["dataset", "path", "bytes"]].itertuples(index=False):
        places = [(root, place) for root in roots for place in (root / dataset / path, root / path)]
        inside = (p for root, p in places if p.is_file() and p.resolve().is_relative_to(root.resolve()))
        file = next((p for p in inside if p.stat().st_size == size), None)
        if file is None:
            missing += 1
        else:
            found[str(dataset), str(path)] = data_url(file)
    return found, missing


def data_url(path: Path) -> str:
    """An image file as a small WebP."""
    with Image.open(path) as image:
        return _url(webp(image.convert("RGB")))


def _url(data: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(data).decode("ascii")


def illustrated(results: Results) -> dict[tuple[str, str, str, str], list[list[str]]]:
    """What engines made of images, by dataset, protocol, subset and row: [kind, name, methods, text or data URL]."""
    found: dict[tuple[str, str, str, str], list[list[str]]] = {}
    for line in illustrations.read(results):
        shown = line.data.decode("utf-8", "replace") if line.kind == TEXT else _url(line.data)
        place = (line.dataset, line.protocol, line.subset, line.row_id)
        found.setdefault(place, []).append([line.kind, line.name, line.methods, shown])
    return found
