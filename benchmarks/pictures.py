"""Pictures that benchmarks reconstruct."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bench.data.decode import image_id
from bench.types import Item

#: Width and height of the images relative to the longer side.
SHAPES = ((1.0, 1.0), (1.0, 0.75), (0.75, 1.0))


def images(root: Path, count: int, side: int, shapes: int = len(SHAPES)) -> list[Item]:
    """Smooth random pictures of one to three shapes as PNG files."""
    items = []
    for number in range(count):
        rng = np.random.default_rng(number)
        width, height = (int(side * part) for part in SHAPES[number % shapes])
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        picture = coarse.resize((width, height), Image.Resampling.BICUBIC)
        path = root / f"{number:05d}.png"
        picture.save(path)
        identity = image_id(np.asarray(picture))
        items.append(Item(f"{number:032x}", path, 0, image_id=identity, container="png", width=width, height=height))
    return items
