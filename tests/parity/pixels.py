"""Numbers of detectors that look at traces of a few pixels, for :mod:`tests.parity.make`.

``safe``'s network calls ``pytorch_wavelets`` for one band, which PyWavelets gives here: both implement the same
transform. ``ladeda``'s file does not parse, so only its classes are read.
"""

import ast
import importlib
import sys
import types
from pathlib import Path

import pywt
import torch
from torchvision import transforms

from methods._shared.tensors import chw, imagenet
from tests.parity.seeded import SIZES, fill, image

#: An even and an odd picture, width and height.
SIDES = ((96, 64), (131, 97))


def pictures(prepare):
    return [prepare(image(n, *size))[None] for n, size in enumerate(SIDES)]


def _found(model, prepare, even=False):
    """Logits of a filled network; ``even`` cuts odd sides, as a README says."""
    fill(model)
    with torch.no_grad():
        inputs = pictures(prepare)
        if even:
            inputs = [x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2] for x in inputs]
        return {"logits": [model(x.clone())[0].tolist() for x in inputs], "keys": sorted(model.state_dict())}


def npr():
    """Logits of the network at even and odd sides."""
    return _found(importlib.import_module("networks.resnet").resnet50(num_classes=1), imagenet, even=True)


def freqnet():
    """Logits of the network of the fork, whose parameters are made on a GPU."""
    torch.Tensor.cuda = lambda self, *_, **__: self
    return _found(importlib.import_module("networks.freqnet").FreqNet(), imagenet)


def _classes(file, *names):
    """Classes of a file of which only these are read."""
    tree = ast.parse(file[: file.index("def LaDeDa33")] if "def LaDeDa33" in file else file)
    space = {"nn": torch.nn, "F": torch.nn.functional, "torch": torch, "math": importlib.import_module("math")}
    exec(compile(ast.Module([n for n in tree.body if isinstance(n, ast.ClassDef)], []), "networks", "exec"), space)
    return [space[name] for name in names]


def ladeda():
    """Logits of both networks on a square crop, which their pooling needs."""
    folder = next(Path(p) / "networks" for p in sys.path if (Path(p) / "networks" / "LaDeDa.py").exists())
    block, large = _classes((folder / "LaDeDa.py").read_text(), "Bottleneck", "LaDeDa")
    pair, tiny = _classes((folder / "Tiny_LaDeDa.py").read_text(), "Bottleneck", "TinyLaDeDa")
    small = tiny(pair, 1, 2, 1, "right_diag")
    small.fc = torch.nn.Linear(8, 1)
    models = {"large": large(block, [3, 4, 6, 3], [2, 2, 2, 1], [1, 1, 0, 0]), "tiny": small}
    return {name: _found(model, lambda rgb: imagenet(rgb)[:, :64, :64]) for name, model in models.items()}


class _Bands:
    """The bands of ``pytorch_wavelets.DWTForward``: horizontal, vertical and diagonal details of one level."""

    def __init__(self, J, mode, wave):
        assert J == 1
        self.mode, self.wave = mode, wave

    def to(self, _):
        return self

    def __call__(self, x):
        low, details = pywt.dwt2(x.numpy(), self.wave, mode=self.mode)
        bands = torch.stack([torch.from_numpy(part) for part in details], 2)
        return torch.from_numpy(low), [bands]


def safe():
    """Logits of the network, and the tensors of its transform for tests."""
    sys.modules["pytorch_wavelets"] = types.SimpleNamespace(DWTForward=_Bands, DWTInverse=None)
    sys.modules["kornia"] = types.SimpleNamespace()
    found = _found(importlib.import_module("models.resnet").resnet50(num_classes=2), chw)
    data = importlib.import_module("data.datasets")
    settings = dict.fromkeys(("jpeg_factor", "blur_sigma", "mask_ratio", "mask_patch_size"))
    _, prepare = data.Get_Transforms(types.SimpleNamespace(input_size=256, transform_mode="crop", **settings))
    tensors = [prepare(transforms.ToPILImage()(image(n, *size))) for n, size in enumerate(SIZES)]
    return found | {"prepared": [[round(float(x.sum()), 3), x[:, ::71, ::67].tolist()] for x in tensors]}


MAKERS = {maker.__name__: maker for maker in (freqnet, ladeda, npr, safe)}
