"""Our networks give the published code's numbers on the same weights and images (max abs 1e-4, fp32)."""

import json

import numpy as np
import pytest
import torch

from bench.artefacts.geometry import crop, resize_short_side
from bench.nets import ddim
from bench.nets.clip_resnet import Shape as ClipShape
from bench.nets.cycleisp import Denoiser
from bench.nets.cycleisp import Shape as DenoiserShape
from bench.nets.fusing import Fusing, windows
from bench.nets.gram import GramNet
from bench.nets.lare import LaRE
from bench.nets.resnet import RESNET18, RESNET50
from bench.nets.spectral_resnet import SpectralResNet
from bench.nets.stylegan import Discriminator, gradients
from bench.nets.stylegan import Shape as DiscriminatorShape
from methods._shared.tensors import imagenet
from tests.parity.make import NUMBERS, SIZES, toy
from tests.parity.seeded import fill, image, tensor


def numbers(name):
    return json.loads((NUMBERS / f"{name}.json").read_text())


@torch.no_grad()
def test_fusing_chooses_the_published_windows_and_gives_the_published_logit():
    model, wanted = fill(Fusing(RESNET50)), numbers("fusing")
    for number, size in enumerate(SIZES):
        rgb = image(number, *size)
        small = imagenet(crop(resize_short_side(rgb, 224), 224, None))[None]
        full, sizes = imagenet(rgb)[None], torch.tensor([rgb.shape[:2]])
        told = wanted[f"{size}"]
        features = model.resnet.taps(small)["layer4"]
        assert windows(features, sizes, 224)[0].tolist() == told["windows"]
        assert model(small, full, sizes).item() == pytest.approx(told["logit"], abs=1e-4)
        padded = torch.nn.functional.pad(full, (0, 40, 0, 70), value=5.0)
        assert model(small, padded, sizes).item() == pytest.approx(told["logit"], abs=1e-4)


@torch.no_grad()
def test_gramnet_gives_the_published_log_probabilities():
    model, wanted = fill(GramNet(RESNET18)), numbers("gramnet")
    for number, side in enumerate((64, 128)):
        bgr = torch.from_numpy(image(number, side, side)[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
        assert model(bgr).log_softmax(1)[0].tolist() == pytest.approx(wanted[f"{side}"], abs=1e-4)


@torch.no_grad()
def test_lnp_gives_the_published_noise_and_logits():
    wanted, denoiser = numbers("lnp"), fill(Denoiser(DenoiserShape()), gain=0.4)
    noise = denoiser(torch.from_numpy(image(0, 48, 40)).permute(2, 0, 1)[None].float() / 255)
    assert noise[0, :, ::9, ::11].numpy() == pytest.approx(np.asarray(wanted["noise"]), abs=1e-4)
    classifier = fill(SpectralResNet(RESNET50))
    logits = [classifier(imagenet(image(n, 224, 224))[None]).item() for n in (1, 2)]
    assert logits == pytest.approx(wanted["logits"], abs=1e-4, rel=1e-4)  # Logits of about 20.


def test_lgrad_gives_the_published_logit_and_gradient():
    wanted = numbers("lgrad")
    net = fill(Discriminator(DiscriminatorShape()), like_normal=True)
    assert sorted(net.state_dict()) == wanted["keys"]
    x = torch.from_numpy(image(0, 256, 256)).permute(2, 0, 1)[None].float() / 127.5 - 1
    assert net(x).item() == pytest.approx(wanted["logit"], abs=1e-4)
    slope = gradients(net, torch.cat([x, x.flip(3)]))[0]
    assert slope[:, ::37, ::41].numpy() == pytest.approx(np.asarray(wanted["gradient"]), abs=1e-4)


@torch.no_grad()
def test_lare_gives_the_published_logits():
    wanted, model = numbers("lare"), fill(LaRE(ClipShape()))
    assert sorted(model.state_dict()) == wanted["keys"]
    images = torch.stack([imagenet(image(n, 224, 224)) for n in (0, 1)])
    errors = torch.stack([tensor(0, f"error {n}", (4, 32, 32)).square() for n in (0, 1)])
    assert model(images, errors).numpy() == pytest.approx(np.asarray(wanted["logits"]), abs=1e-4)
    assert model(images[:1], errors[:1]).numpy() == pytest.approx(np.asarray(wanted["logits"])[:1], abs=1e-4)


@pytest.mark.parametrize("clip", [True, False])
def test_dire_gives_the_published_latents_and_reconstructions(clip):
    wanted = numbers("dire")[f"{clip}"]
    x = torch.from_numpy(image(0, 16, 16)).permute(2, 0, 1)[None].float() / 127.5 - 1

    def predict(x, t):
        return toy(x, torch.tensor([t]))[:, :3]

    latent, made = ddim.pixel_round_trip(x, predict, ddim.pixel_timesteps(20), ddim.linear_alphas(), clip)
    assert latent[0, :, ::5, ::5].numpy() == pytest.approx(np.asarray(wanted["latent"]), abs=1e-4)
    assert made[0, :, ::5, ::5].numpy() == pytest.approx(np.asarray(wanted["made"]), abs=1e-4)
