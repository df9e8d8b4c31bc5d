"""Numbers of detectors of reconstruction errors, for :mod:`tests.parity.make`."""

import importlib
import types

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision import transforms

from methods._shared.tensors import chw
from tests.parity.free import kl
from tests.parity.seeded import fill, image

#: Width and height of two test images, of which FIRE crops 256 x 256 pixels.
SIZES = ((256, 256), (300, 260))


def seeded_fire(model):
    """Seeded weights in everything but the autoencoder and the target masks, in evaluation mode."""
    kept = {name: t.clone() for name, t in model.state_dict().items() if "i_mask" in name or name.startswith("vae.")}
    fill(model).load_state_dict(kept, strict=False)
    return model.eval()


def inverted(rgb):
    """The square of 512 pixels that FakeInversion inverts, and stand-ins for what is made of it."""
    prepare = transforms.Compose([transforms.Resize(512), transforms.CenterCrop(512)])
    square = np.asarray(prepare(Image.fromarray(rgb)))
    return [square, 255 - square, np.ascontiguousarray(square[::-1])]


def fire_image(number):
    """A test image [1, 3, 256, 256] in 0…1: the centre."""
    rgb = image(number, *SIZES[number])
    top, left = (round((side - 256) / 2) for side in rgb.shape[:2])
    return chw(rgb[top : top + 256, left : left + 256])[None]


def fire():
    """Logits, masks, the middle image and the error of two images, one at a time; the keys; conv1's beginning."""
    network = importlib.import_module("utils.network_utils")
    start = torchvision.models.resnet50().state_dict()
    weights = types.SimpleNamespace(get_state_dict=lambda **_: start)
    network.torchvision = types.SimpleNamespace(
        models=types.SimpleNamespace(
            resnet50=lambda num_classes, pretrained, norm_layer: torchvision.models.resnet50(
                num_classes=num_classes, norm_layer=norm_layer
            ),
            ResNet50_Weights=types.SimpleNamespace(IMAGENET1K_V2=weights),
        )
    )
    network.create_vae = kl
    plain = torch.nn.Module.to
    torch.nn.Module.to = lambda self, *where, **how: self if where == ("cuda",) else plain(self, *where, **how)
    model = network.FIRE_model()
    torch.nn.Module.to = plain
    begun = model.resnet.conv1.weight.detach() / start["conv1.weight"].repeat(1, 2, 1, 1)
    masks = model.fft_filter_module
    found = {"keys": sorted(name for name in model.state_dict() if not name.startswith("vae.")), "share": []}
    found["share"] = [float(begun.min()), float(begun.max())]
    found["ring"] = [float(masks.i_mask.sum()), float(masks.r_i_mask.sum()), *masks.i_mask[0, 128, ::8].tolist()]
    seeded_fire(model)
    with torch.no_grad():
        for number in range(len(SIZES)):
            torch.manual_seed(number)
            logit, *parts = model(fire_image(number))
            names = ("middle", "error", "inner", "outer")
            found[f"{number}"] = {"logit": logit.item()}
            found[f"{number}"] |= {n: part[0, :, ::97, ::83].tolist() for n, part in zip(names, parts, strict=True)}
    return found


MAKERS = {"fire": fire}
