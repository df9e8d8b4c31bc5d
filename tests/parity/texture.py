"""Numbers of detectors that choose patches by their texture, for :mod:`tests.parity.make`.

``patchcraft``'s authors published no code of it: its checkout is mever-team/sidbench's, of which only the network and
two functions are read.
"""

import ast
import importlib
import sys
import types
from pathlib import Path

import numpy as np
import torch
from torchvision import transforms

from methods._shared.tensors import chw
from tests.parity.seeded import fill, image

#: Seed of the patches of every image.
SEED = 42
#: Number, width and height of pictures of which no two patches have the same texture: rounding would order them.
PICTURES = ((2, 224, 224), (0, 401, 283))
#: The gain at which the network's logits depend on the image more than on its biases.
GAIN = 2.0


def sloped(number, width, height):
    """A picture whose contrast grows from the top to the bottom, so that hardly two patches have the same texture."""
    slope = np.linspace(0.1, 1, height)[:, None, None]
    return (128 + (image(number, width, height) - 128.0) * slope).round().clip(0, 255).astype(np.uint8)


def filled(model, constant, gain=1.0):
    """Seeded weights for all of a network but its constant filters."""
    kept = model.get_parameter(constant).detach().clone()
    fill(model, gain=gain)
    model.get_parameter(constant).data.copy_(kept)
    return model


def pair():
    """An image and its mirror image in place of poor and rich texture: float [1, 2, 3, 64, 96]."""
    x = chw(image(0, 96, 64))
    return torch.stack([x, x.flip(-1)])[None]


def _package(name):
    """The checkout's package of that name without what its ``__init__`` imports."""
    package = types.ModuleType(name)
    package.__path__ = [str(Path(folder) / name) for folder in sys.path]
    sys.modules[name] = package


def patchcraft():
    """Logits of the network and of the whole pipeline; what it prepares; the filters, in twelfths."""
    _package("models")
    model = filled(importlib.import_module("models.RPTC").Net(), "group1.hpf.weight", GAIN)
    source = next(path for folder in sys.path if (path := Path(folder) / "dataset/process.py").exists())
    wanted = ("rptc_processing", "ED")
    functions = [n for n in ast.parse(source.read_text()).body if getattr(n, "name", "") in wanted]
    names = {"torch": torch, "transforms": transforms}
    exec(compile(ast.Module(functions, []), "process", "exec"), names)
    found = {"keys": sorted(model.state_dict()), "prepared": [], "logits": []}
    found["filters"] = (model.group1.hpf.weight * 12).flatten(1).round().int().tolist()
    for picture in PICTURES:
        torch.manual_seed(SEED)
        picture = transforms.ToPILImage()(sloped(*picture))
        x = names["rptc_processing"](picture, types.SimpleNamespace(cropSize=256, patchNum=3))
        found["prepared"].append([x.sum((1, 2, 3)).tolist(), x[:, 0, ::67, ::71].tolist()])
        with torch.no_grad():
            found["logits"].append(model(x[None]).item())
    with torch.no_grad():
        found["pair"] = model(pair()).item()
    return found


MAKERS = {maker.__name__: maker for maker in (patchcraft,)}
