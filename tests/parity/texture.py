"""Numbers of detectors that choose patches by their texture, for :mod:`tests.parity.make`.

``patchcraft``'s authors published no code of it: its checkout is mever-team/sidbench's, of which only the network and
two functions are read.
"""

import ast
import hashlib
import importlib
import sys
import types
from pathlib import Path

import numpy as np
import torch
from torchvision import transforms

from methods._shared.tensors import chw, imagenet
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


#: A small ConvNeXt whose features have the width that AIDE's code demands.
TRUNK = {"depths": (1, 1, 1, 0), "dims": (16, 32, 64, 3072)}
#: The gain at which AIDE's deep ResNets do not grow.
AIDE_GAIN = 0.8


def five():
    """Four small windows and an image as AIDE sees them: float [1, 5, 3, 256, 256]."""
    return torch.stack([imagenet(image(n, 256, 256)) for n in range(5)])[None]


def layout(state):
    """A digest of the names and shapes of a network's weights."""
    lines = [f"{name} {tuple(tensor.shape)}" for name, tensor in sorted(state.items())]
    return [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()]


def aide():
    """Logits of the network on a small ConvNeXt; the layout of the whole one; windows and their order."""
    import timm  # ConvNeXtXXL as OpenCLIP builds it.

    _package("models")
    _package("data")
    built = {"small": lambda: timm.models.convnext.ConvNeXt(num_classes=0, norm_eps=1e-5, **TRUNK)}
    built["whole"] = lambda: timm.create_model("convnext_xxlarge", num_classes=0)
    sys.modules["clip"] = types.SimpleNamespace()
    sys.modules["open_clip"] = types.SimpleNamespace(
        create_model_and_transforms=lambda _, pretrained: (
            types.SimpleNamespace(visual=types.SimpleNamespace(trunk=built[pretrained]())),
            None,
            None,
        )
    )
    module = importlib.import_module("models.AIDE")
    model = filled(module.AIDE(None, "small"), "hpf.hpf.weight", AIDE_GAIN)
    with torch.no_grad():
        found = {"logits": model(five())[0].tolist()}
    del model
    for name in ("trunc_normal_", "kaiming_normal_"):
        setattr(torch.nn.init, name, lambda x, *_, **__: x)  # Slow, and only names and shapes are read.
    found["layout"] = layout(module.AIDE(None, "whole").state_dict())
    windows = importlib.import_module("data.dct").DCT_base_Rec_Module()
    found["windows"] = [[x[:, ::9, ::11].tolist() for x in windows(chw(sloped(*p)))] for p in PICTURES]
    return found


MAKERS = {maker.__name__: maker for maker in (aide, patchcraft)}
