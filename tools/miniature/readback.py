"""Whether the captioner finds in the committed generated images the facts that they were generated from."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from transformers import BlipForConditionalGeneration

from tools.miniature import captioner
from tools.miniature.images import FAKE_ENDING, fake_name, fake_scenes
from tools.miniature.layouts import FORENSYNTHS, GENIMAGE

_FACTS = ("object", "colour", "ground")


def read_back(pack: Path, blip: Path) -> dict[str, float]:
    """Share of a pack's generated test images whose caption names the requested object, colour, ground, and all three.

    ``pack`` is ``<dataset>-<subset>.zip``; ``blip`` is the folder of the short captioner.
    """
    corpus, subset = pack.stem.split("-")
    layout = {"genimage": GENIMAGE, "forensynths": FORENSYNTHS}[corpus][subset]
    scenes = fake_scenes(layout, "val", layout.test)
    with zipfile.ZipFile(pack) as images:
        members = {Path(name).name: name for name in images.namelist()}
        names = [f"{fake_name(layout, 'val', scene, i)}{FAKE_ENDING}" for i, scene in enumerate(scenes)]
        shown = [_view(images.read(members[name])) for name in names]
    texts = captioner.read(BlipForConditionalGeneration.from_pretrained(blip).eval(), np.stack(shown))
    named = [[getattr(s, fact) in text.split() for fact in _FACTS] for s, text in zip(scenes, texts, strict=True)]
    right = np.array(named)
    return {**dict(zip(_FACTS, right.mean(0).tolist(), strict=True)), "read_back": float(right.all(1).mean())}


def _view(data: bytes) -> np.ndarray:
    side = captioner.SIDE
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
