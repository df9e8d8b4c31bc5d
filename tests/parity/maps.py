"""What LNP's and LGrad's published code makes of an image, for :mod:`tests.parity.make`."""

import importlib
import io
import sys
import types

import numpy as np
import torch
from PIL import Image

from methods._shared.tensors import imagenet
from tests.parity.seeded import SIZES, fill, image


def lnp():
    """The denoiser's noise at a few places, and the classifier's logit of a normalised image."""
    sys.modules["torchsummary"] = types.SimpleNamespace(summary=None)
    denoiser = fill(importlib.import_module("denoising_rgb").DenoiseNet(), gain=0.4)
    classifier = fill(importlib.import_module("resnet").resnet50(num_classes=1))
    with torch.no_grad():
        noise = denoiser(torch.from_numpy(image(0, 48, 40)).permute(2, 0, 1)[None].float() / 255)
        logits = [classifier(imagenet(image(n, 224, 224))[None]).item() for n in (1, 2)]
    import cv2
    from skimage import img_as_ubyte

    # The end of test_sidd_rgb.py: a map that is 8-bit already is scaled again and wraps; RGB is written as BGR.
    kept = img_as_ubyte(torch.clamp(noise, 0, 1)[0].permute(1, 2, 0).numpy())
    _, coded = cv2.imencode(".png", kept * 255)
    shown = np.asarray(Image.open(io.BytesIO(coded.tobytes())))
    return {"noise": noise[0, :, ::9, ::11].tolist(), "logits": logits, "map": shown[::5, ::7].tolist()}


def lgrad():
    """The discriminator's logit and the gradient at a few places, an image alone."""
    build = importlib.import_module("models").build_model
    model = build(gan_type="stylegan", module="discriminator", resolution=256, label_size=0, image_channels=3)
    fill(model, like_normal=True)
    x = (torch.from_numpy(image(0, 256, 256)).permute(2, 0, 1)[None].float() / 127.5 - 1).requires_grad_(True)
    logit = model(x)
    (slope,) = torch.autograd.grad(logit.sum(), x)
    found = {"logit": logit.item(), "gradient": slope[0, :, ::37, ::41].tolist(), "keys": sorted(model.state_dict())}
    import cv2

    script = importlib.import_module("gen_imggrad")
    x = script.processimg(Image.fromarray(image(0, *SIZES[0])))[None].requires_grad_(True)
    (slope,) = torch.autograd.grad(model(x).sum(), x)
    stretched = script.normlize_np(slope[0].permute(1, 2, 0).numpy().copy())
    _, coded = cv2.imencode(".png", stretched[..., ::-1])
    return found | {"map": np.asarray(Image.open(io.BytesIO(coded.tobytes())))[::37, ::41].tolist()}
