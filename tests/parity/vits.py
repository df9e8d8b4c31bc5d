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


#: B-Free's transformer here, and images (width, height): larger than the crop, with a part of a patch left over, as
#: large, too small on one axis and long on the other, too small on both.
SMALL = {"embed_dim": 64, "depth": 2, "num_heads": 2}
CROP = 56
SIDES = ((131, 97), (64, 120), (56, 56), (200, 40), (30, 45))


def b_free():
    """Logits of the wrapper of five crops around a small transformer, and the checkpoint's keys."""
    wrapper = importlib.import_module("networks.wrapper5crops").Wrapper5crops
    base = timm.create_model("vit_base_patch14_reg4_dinov2.lvd142m", num_classes=1, pretrained=False, **SMALL)
    base.set_input_size(img_size=CROP)
    keys, network = sorted(base.state_dict()), wrapper(fill(base), CROP).eval()
    with torch.no_grad():
        logits = [network(imagenet(image(n, *size))[None]).item() for n, size in enumerate(SIDES)]
    return {"logits": logits, "keys": keys}


MAKERS = {maker.__name__: maker for maker in (b_free, community_forensics)}
