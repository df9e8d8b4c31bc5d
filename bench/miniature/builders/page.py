"""Write docs/miniature.md: sample grids, and each model's steps, time and held-out quality."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from tabulate import tabulate

_ROWS, _COLUMNS, _SIDE = 3, 10, 96
_TEMPLATE = Path(__file__).parent / "page.md"


def _thumbnail(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    side = min(image.size)
    return image.crop((0, 0, side, side)).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)


def _grid(pack: zipfile.ZipFile, kind: str) -> Image.Image:
    names = [name for name in pack.namelist() if f"/val/{kind}/" in name]
    chosen = np.random.default_rng(0).choice(names, _ROWS * _COLUMNS, replace=False)
    sheet = Image.new("RGB", (_COLUMNS * _SIDE, _ROWS * _SIDE))
    for index, name in enumerate(sorted(chosen)):
        place = (index % _COLUMNS * _SIDE, index // _COLUMNS * _SIDE)
        sheet.paste(_thumbnail(pack.read(str(name))), place)
    return sheet


def write_page(packs: list[Path], weights: Path, docs: Path) -> None:
    """Write the page and its pictures from the committed packs and ``quality.json``."""
    grids = ""
    for path in packs:
        subset = path.stem.split("-")[1]
        with zipfile.ZipFile(path) as pack:
            for kind, title in (("nature", "photographs"), ("ai", "generated")):
                name = f"miniature-{subset}-{kind}.png"
                _grid(pack, kind).save(docs / name, optimize=True)
                grids += f"**{subset}, {title}**\n\n![{subset} {title}]({name})\n\n"
    quality = json.loads((weights / "quality.json").read_text(encoding="utf-8"))
    columns = ("steps", "of", "minutes", "device", "psnr", "high_frequency_ratio")
    body = [[name, *(entry.get(column, "") for column in columns)] for name, entry in quality.items()]
    table = tabulate(body, ["model", *columns], "github", disable_numparse=True)
    text = _TEMPLATE.read_text(encoding="utf-8").format(grids=grids, quality=table)
    (docs / "miniature.md").write_text(text, encoding="utf-8")
