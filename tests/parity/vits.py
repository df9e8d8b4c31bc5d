"""Numbers of detectors that are a vision transformer, for :mod:`tests.parity.make`."""

import importlib
import types

import numpy as np
import timm
import torch
from PIL import Image

from methods._shared.tensors import imagenet
from tests.parity.seeded import fill, image

#: Blocks of Community Forensics' transformer here; its width is fixed.
DEPTH = 2


def community_forensics():
    """Logits of the network with fewer blocks at both sizes, and its keys."""
    create = timm.create_model
    timm.create_model = lambda name, pretrained: create(name, pretrained=False, depth=DEPTH)
    module, found = importlib.import_module("models"), {}
    for side in (224, 384):
        model = fill(module.ViTClassifier(input_size=side, device="cpu"))
        with torch.no_grad():
            logits = [model(imagenet(image(n, side, side))[None]).item() for n in (0, 1)]
        found[f"{side}"] = {"logits": logits, "keys": sorted(model.state_dict())}
    timm.create_model = create
    changes, picture = importlib.import_module("custom_transforms"), Image.fromarray(image(0, 90, 60))
    part = changes.RRCWithRandomIntpl(56, (0.9, 1.0), (3 / 4, 4 / 3))
    torch.manual_seed(0)
    found["parts"] = sorted({part(Image.fromarray(image(0, 72, 60))).size for _ in range(200)})
    middle = {"uniform": lambda low, high: (low + high) / 2, "randint": lambda low, high: 128}
    changes.random = types.SimpleNamespace(**middle)
    found["padded"] = np.asarray(changes.RandomPaddingAndResize((0.1, 0.1), (0, 255))(picture))[::9, ::9, 0].tolist()
    return found


MAKERS = {maker.__name__: maker for maker in (community_forensics,)}
