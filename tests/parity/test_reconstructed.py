"""Detectors of reconstruction errors: the published networks' numbers and keys."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from torchvision.models import resnet50

from bench import discover
from bench.detector import Facts, Sample
from bench.nets.loading import differences
from bench.training import checkpoint
from tests.parity.free import kl
from tests.parity.reconstructed import SIZES, fire_image, seeded_fire
from tests.parity.seeded import fill, image
from tests.parity.test_parity import numbers


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sd")
    kl().save_pretrained(folder / "vae")
    return folder


def built(autoencoder, **params):
    kind = discover.method("fire")
    method = kind(kind.Params(pretrained=False, **params))
    return method, seeded_fire(method.build({"sd15_vae": autoencoder}))


@pytest.mark.parametrize("number", range(len(SIZES)))
@torch.no_grad()
def test_fire_gives_the_published_logits_masks_and_errors(number, autoencoder):
    """In a batch too but for rounding: an image's noise and range are its own. The official code is run on one."""
    told, (_, model) = numbers("fire")[f"{number}"], built(autoencoder)
    made = model(fire_image(number), torch.tensor([number]))
    assert made.logits.item() == pytest.approx(told["logit"], abs=1e-4)
    batch = torch.cat([fire_image(number), torch.rand(1, 3, 256, 256)])
    assert model(batch, torch.tensor([number, 7])).logits[0].item() == pytest.approx(told["logit"], abs=1e-3)
    for name in ("middle", "error", "inner", "outer"):
        part = getattr(made, name)[0, :, ::97, ::83].numpy()
        assert part == pytest.approx(np.asarray(told[name]), abs=1e-4), name


def test_fires_keys_masks_and_beginning_are_the_published_ones(autoencoder, tmp_path):
    told, (method, model) = numbers("fire"), built(autoencoder)
    assert sorted(model.state_dict()) == told["keys"]
    masks = model.fft_filter_module
    assert [float(masks.i_mask.sum()), float(masks.r_i_mask.sum()), *masks.i_mask[0, 128, ::8]] == told["ring"]
    start = fill(resnet50()).state_dict()
    save_file(start, tmp_path / "model.safetensors")
    begun = type(method)(type(method).Params()).build({"sd15_vae": autoencoder, "resnet50_v2": tmp_path}).resnet
    assert torch.equal(begun.conv1.weight, torch.cat([start["conv1.weight"]] * 2, 1) * told["share"][0])
    assert torch.equal(begun.layer4[0].downsample[0].weight, start["layer4.0.downsample.0.weight"])


def test_fires_file_is_read_with_its_copy_of_the_autoencoder(autoencoder, tmp_path):
    """A bare state dict with 248 tensors of the autoencoder in half precision, for Stable Diffusion's."""
    method, model = built(autoencoder)
    copy = {f"vae.{name}": tensor.half() for name, tensor in kl().state_dict().items()}
    file = {**model.state_dict(), **copy}
    _, other = built(autoencoder)
    torch.nn.init.zeros_(other.resnet.fc.weight)
    checkpoint.fill(method, other, file, tmp_path)
    assert differences(model.state_dict(), other.state_dict()) == ""
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert method.foreign(model, file) == ""
    changed = {**file, "vae.quant_conv.bias": file["vae.quant_conv.bias"] + 1}
    assert method.foreign(model, changed).endswith("has other values: quant_conv.bias.")


def test_fires_loss_is_the_published_sum_and_trains_the_masks_through_the_autoencoder(autoencoder):
    method, model = built(autoencoder, crop_size=64, low=10, high=30, depths=(1, 1, 1, 1), width=16, stride=8)
    batch = {"image": torch.rand(2, 3, 64, 64), "seed": torch.tensor([1, 2]), "label": torch.tensor([0, 1])}
    made, masks = model(batch["image"], batch["seed"]), model.fft_filter_module
    ring, rest = (mask.unsqueeze(0).repeat(2, 1, 1, 1) for mask in (masks.i_mask, masks.r_i_mask))
    apart = mse_loss(made.inner, ring) + mse_loss(made.outer, rest)
    apart = apart + mse_loss(made.inner + made.outer, torch.ones_like(ring))
    crossed = binary_cross_entropy_with_logits(made.logits[:, 0], batch["label"].float())
    wanted = 0.6 * crossed + 0.2 * mse_loss(made.middle, made.error) + 0.2 * apart
    assert method.loss(model, batch).item() == pytest.approx(wanted.item(), rel=1e-6)
    model.zero_grad()
    made.logits.sum().backward()
    assert masks.mask_autoencoder.sub_pixel_1[0].weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.autoencoder.parameters())


def test_the_papers_variant_compares_a_filtered_image_with_itself(autoencoder):
    small = {"crop_size": 64, "low": 10, "high": 30, "depths": (1, 1, 1, 1), "width": 16, "stride": 8}
    x, seed = torch.rand(1, 3, 64, 64), torch.tensor([3])
    seen = {}
    for against in ("image", "filtered"):
        _, model = built(autoencoder, against=against, **small)
        model.resnet.register_forward_pre_hook(lambda _, given, against=against: seen.update({against: given[0]}))
        with torch.no_grad():
            model(x, seed)
            others = model.fft_filter_module(x)[1]
            remade = model.autoencoder(others, model.noise(seed, 64)[1])
    assert torch.allclose(seen["image"][:, 3:], (remade - x).abs(), atol=1e-5)
    assert torch.allclose(seen["filtered"][:, 3:], (remade - others).abs(), atol=1e-5)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_plain_image_has_a_finite_score_and_a_seed_of_its_own(grey, autoencoder):
    method, model = built(autoencoder)
    sample = Sample(np.full((64, 64, 3), grey, np.uint8), {}, Facts("png", 0, 64, 64, 1))
    view = method.view(sample, "test", np.random.default_rng(0))
    other = method.view(Sample(image(0, 64, 64), {}, sample.facts), "test", np.random.default_rng(0))
    assert int(view["seed"]) != int(other["seed"])
    with torch.no_grad():
        assert bool(method.logit(model, {name: tensor[None] for name, tensor in view.items()}).isfinite().all())


def fakeinversion(variant=""):
    kind = discover.method("fakeinversion")
    return kind(kind.Params(**kind.variants.get(variant, {})))


@pytest.mark.parametrize(("variant", "images"), [("", 3), ("residual", 4)])
def test_fakeinversion_starts_as_shares_of_imagenets_first_convolution(variant, images, tmp_path):
    """Its authors published no code: what other repositories have, and shapes, are all that it can be held to."""
    start = fill(resnet50()).state_dict()
    save_file(start, tmp_path / "model.safetensors")
    model = fakeinversion(variant).build({"resnet50_v2": tmp_path})
    assert torch.equal(model.conv1.weight, torch.cat([start["conv1.weight"] * (1 / images)] * images, 1))
    norms = {"batch": torch.nn.BatchNorm2d, "instance": torch.nn.InstanceNorm2d}
    theirs = resnet50(num_classes=1, norm_layer=norms[fakeinversion(variant).params.norm])
    theirs.conv1 = torch.nn.Conv2d(3 * images, 64, 7, 2, 3, bias=False)
    theirs.load_state_dict(model.state_dict())
    x = torch.randn(2, 3 * images, 224, 224)
    with torch.no_grad():
        assert model.eval()(x).numpy() == pytest.approx(theirs.eval()(x).numpy(), abs=1e-4)


def test_fakeinversion_sees_the_image_then_the_noise_then_the_reconstruction():
    """A fourth image is the difference after normalisation, as hmu013's script has it."""
    rgb, noise, made = (np.full((512, 512, 3), level, np.uint8) for level in (40, 90, 65))
    sample = Sample(rgb, {"inversion": np.concatenate([noise, made])}, Facts("png", 0, 512, 512, 1))
    mean, std = np.asarray((0.485, 0.456, 0.406)), np.asarray((0.229, 0.224, 0.225))
    wanted = [(level / 255 - mean) / std for level in (40, 90, 65)]
    for variant, more in (("", []), ("residual", [25 / 255 / std])):
        x = fakeinversion(variant).view(sample, "test", np.random.default_rng(0))["image"]
        assert x.shape == (9 + 3 * len(more), 224, 224)
        assert x[:, 100, 7].numpy() == pytest.approx(np.concatenate([*wanted, *more]), abs=1e-5)
