"""Run the published code once and keep its outputs: ``python -m tests.parity.make fusing CHECKOUT``.

CHECKOUT is a folder with the method's public repository at the commit that its card names. Only numbers are written,
into ``tests/parity/numbers/<name>.json``; nothing of the repository is.
"""

import importlib
import json
import sys
import types
from pathlib import Path

import torch

from bench.kit.geometry import crop, resize_short_side
from methods._parts.tensors import imagenet
from tests.parity.seeded import fill, image, tensor

NUMBERS = Path(__file__).parent / "numbers"
SIZES = ((300, 260), (224, 224), (180, 400))


def fusing():
    """Logits of the whole network, and the windows it chose."""
    resnet = importlib.import_module("networks.resnet")
    resnet.model_zoo.load_url = lambda *_, **__: {}
    resnet.ResNet.load_state_dict = lambda self, state, **_: None
    trainer = importlib.import_module("networks.trainer")
    model = trainer.Patch5Model()
    del resnet.ResNet.load_state_dict
    fill(model)
    found = {}
    with torch.no_grad():
        for number, size in enumerate(SIZES):
            rgb = image(number, *size)
            small = imagenet(crop(resize_short_side(rgb, 224), 224, None))[None]
            full, scale = imagenet(rgb)[None], torch.tensor([[float(rgb.shape[0]), float(rgb.shape[1])]])
            places = model.COOI.get_coordinates(model.resnet(small)[0], scale)
            found[f"{size}"] = {"logit": model(full, small, scale).item(), "windows": places[0].tolist()}
    return found


def gramnet():
    """Log-probabilities (fake, real) at two input sizes."""
    module = importlib.import_module("resnet18_gram")
    model = fill(module.resnet18(pretrained=False))
    found = {}
    with torch.no_grad():
        for number, side in enumerate((64, 128)):
            bgr = torch.from_numpy(image(number, side, side)[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
            found[f"{side}"] = model(bgr)[0].tolist()
    return found


def lnp():
    """The denoiser's noise at a few places, and the classifier's logit of a normalised image."""
    sys.modules["torchsummary"] = types.SimpleNamespace(summary=None)
    denoiser = fill(importlib.import_module("denoising_rgb").DenoiseNet(), gain=0.4)
    classifier = fill(importlib.import_module("resnet").resnet50(num_classes=1))
    with torch.no_grad():
        noise = denoiser(torch.from_numpy(image(0, 48, 40)).permute(2, 0, 1)[None].float() / 255)
        logits = [classifier(imagenet(image(n, 224, 224))[None]).item() for n in (1, 2)]
    return {"noise": noise[0, :, ::9, ::11].tolist(), "logits": logits}


def lgrad():
    """The discriminator's logit and the gradient at a few places, an image alone."""
    build = importlib.import_module("models").build_model
    model = build(gan_type="stylegan", module="discriminator", resolution=256, label_size=0, image_channels=3)
    fill(model, like_normal=True)
    x = (torch.from_numpy(image(0, 256, 256)).permute(2, 0, 1)[None].float() / 127.5 - 1).requires_grad_(True)
    logit = model(x)
    (slope,) = torch.autograd.grad(logit.sum(), x)
    return {"logit": logit.item(), "gradient": slope[0, :, ::37, ::41].tolist(), "keys": sorted(model.state_dict())}


def lare():
    """Logits of the classifier on CLIP RN50's shape, two images at once; its keys without the text half."""
    sys.modules["clip"] = types.SimpleNamespace()
    base = importlib.import_module("model_base")

    class Clip(torch.nn.Module):
        dtype = torch.float32

        def __init__(self):
            super().__init__()
            self.visual = base.ModifiedResNet((3, 4, 6, 3), 1024, 32, 224, 64)

    sys.modules["clip"].load = lambda *_, **__: (Clip(), None)
    model = fill(importlib.import_module("model").CLipClassifierWMapV6(clip_type="RN50"))
    images = torch.stack([imagenet(image(n, 224, 224)) for n in (0, 1)])
    errors = torch.stack([tensor(0, f"error {n}", (4, 32, 32)).square() for n in (0, 1)])
    with torch.no_grad():
        logits = model(images, errors)
    return {"logits": logits.tolist(), "keys": sorted(model.state_dict())}


def dire():
    """Latents and reconstructions of the respaced sampler with a toy model, clipped and not."""
    spaced = importlib.import_module("guided_diffusion.respace")
    gaussian = importlib.import_module("guided_diffusion.gaussian_diffusion")
    diffusion = spaced.SpacedDiffusion(
        use_timesteps=spaced.space_timesteps(1000, "ddim20"),
        betas=gaussian.get_named_beta_schedule("linear", 1000),
        model_mean_type=gaussian.ModelMeanType.EPSILON,
        model_var_type=gaussian.ModelVarType.LEARNED_RANGE,
        loss_type=gaussian.LossType.MSE,
    )
    found = {}
    for clip in (True, False):
        x = torch.from_numpy(image(0, 16, 16)).permute(2, 0, 1)[None].float() / 127.5 - 1
        kept = {"clip_denoised": clip, "device": "cpu"}
        latent = diffusion.ddim_reverse_sample_loop(toy, x.shape, noise=x, **kept)
        made = diffusion.ddim_sample_loop(toy, x.shape, noise=latent, **kept)
        found[f"{clip}"] = {"latent": latent[0, :, ::5, ::5].tolist(), "made": made[0, :, ::5, ::5].tolist()}
    return found


def toy(x, t, **_):
    """A noise predictor that depends on image and time: six channels, of which the first three are the noise."""
    kernel = tensor(0, "toy.weight", (6, 3, 3, 3)) * 0.5
    return torch.nn.functional.conv2d(x, kernel, padding=1) + 0.1 * torch.cos(t / 300.0).view(-1, 1, 1, 1)


MAKERS = {"dire": dire, "lare": lare, "fusing": fusing, "gramnet": gramnet, "lgrad": lgrad, "lnp": lnp}


def main():
    name, checkout = sys.argv[1:3]
    sys.path.insert(0, checkout)
    NUMBERS.mkdir(exist_ok=True)
    text = json.dumps(MAKERS[name](), indent=1, sort_keys=True) + "\n"
    (NUMBERS / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
