"""Numbers of detectors that are not trained and compare embeddings, for :mod:`tests.parity.make`."""

import functools
import json
import sys
from pathlib import Path

import torch
from PIL import Image

from tests.parity.seeded import image, tensor

#: A DINOv2 of the official class, smaller: width, depth and heads, of 64 channels as in all published networks.
DINOV2 = {"embed_dim": 128, "depth": 2, "num_heads": 2}
SIZES = ((224, 224), (97, 131), (300, 180), (64, 50))
STRENGTHS = (0.05, 1.0)


def dinov2(state):
    """Weights for a small DINOv2 whose class token depends on the image and on every position."""
    drawn = {key: tensor(0, key, tuple(value.shape)) for key, value in state.items()}
    for key, value in drawn.items():
        if key in ("cls_token", "pos_embed", "mask_token"):
            drawn[key] = tensor(0, key, tuple(value.shape), like_normal=True)
        elif key.endswith("gamma"):
            drawn[key] = value * 10
    return drawn


def cells(folder, *parts):
    """Source of the notebook's code cells that contain one of ``parts``."""
    notebook = json.loads((folder / "RIGID.ipynb").read_text())
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [source for source in sources if any(part in source for part in parts)]


def rigid():
    """Similarities by the notebook's detector on the hub's DINOv2: alone, with more noise, and as one batch."""
    from dinov2.hub import backbones
    from dinov2.models import vision_transformer as models

    models.vit_large = functools.partial(models.DinoVisionTransformer, **DINOV2, block_fn=block(models))
    made = backbones.dinov2_vitl14(pretrained=False).eval()
    made.load_state_dict(dinov2(made.state_dict()))
    torch.hub.load, torch.nn.Module.cuda = lambda *_, **__: made, lambda self, *_: self
    folder = next(Path(name) for name in sys.path if (Path(name) / "RIGID.ipynb").exists())
    names = {}
    for source in cells(folder, "import torch", "DEFAULT_MEAN =", "class RIGID_Detector", "transform_RIGID ="):
        exec(source, names)
    views = [names["transform_RIGID"](Image.fromarray(image(n, *size))) for n, size in enumerate(SIZES)]
    batch, found = torch.stack(views), {"keys": sorted(made.state_dict())}
    for strength in STRENGTHS:
        torch.manual_seed(0)
        found[f"similarities at {strength}"] = names["RIGID_Detector"](strength).calculate_sim(batch).tolist()
    with torch.no_grad():
        found["features"] = made(batch)[:, ::8].tolist()
    return found


def block(models):
    """The block of the official ViT-L, whose attention is that of xFormers where it is installed."""
    return functools.partial(models.Block, attn_class=models.MemEffAttention)


MAKERS = {"rigid": rigid}
