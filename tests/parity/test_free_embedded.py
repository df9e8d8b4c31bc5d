"""Detectors that are not trained and compare embeddings give the official numbers."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms
from transformers import CLIPImageProcessorPil

from bench import discover
from bench.artefacts.batching import noise
from bench.artefacts.engine import Request
from bench.artefacts.engines import blip, manifold_criterion, noise_shift
from bench.detector import Facts, Sample
from bench.models.zoo import Zoo
from bench.nets import manifold, vit
from bench.nets.clip import MEAN, STD
from bench.progress import Meter
from methods._shared.tensors import imagenet, normalised
from tests.parity import free_embedded
from tests.parity.augmentation import ODD_SIZES
from tests.parity.free_embedded import DINOV2, DRAWS, SIZES, STRENGTHS
from tests.parity.seeded import image
from tests.parity.test_parity import numbers


def rigids_transform(rgb):
    picture = transforms.Resize((224, 224))(Image.fromarray(rgb))
    return transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(transforms.ToTensor()(picture))


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory):
    """A folder with the tensors of torch.hub's DINOv2 for images of 518 pixels."""
    shape = vit.Shape(DINOV2["embed_dim"], DINOV2["depth"], DINOV2["num_heads"], 14, 518)
    state = {**vit.build(shape).state_dict(), "mask_token": torch.zeros(1, shape.width)}
    assert sorted(state) == numbers("rigid")["keys"]
    folder = tmp_path_factory.mktemp("hub")
    save_file(free_embedded.dinov2(state), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def views():
    return torch.stack([rigids_transform(image(n, *size)) for n, size in enumerate(SIZES)])


@torch.no_grad()
def test_rigid_gives_the_published_similarities(hub_folder, views):
    network, told = vit.load(hub_folder, 224), numbers("rigid")
    assert network(views)[:, ::8].numpy() == pytest.approx(np.asarray(told["features"]), abs=1e-4)
    torch.manual_seed(0)
    drawn = torch.randn_like(views)
    for strength, within in zip(STRENGTHS, (2e-6, 1e-5), strict=True):
        found = 1 - noise_shift.shifts(network, views, drawn, strength)
        assert found.tolist() == pytest.approx(told[f"similarities at {strength}"], abs=within)


@torch.no_grad()
def test_rigid_needs_the_hubs_position_embeddings(hub_folder, views):
    features = vit.load(hub_folder, 224, "timm")(views)[:, ::8].numpy()
    assert np.abs(features - np.asarray(numbers("rigid")["features"])).max() > 0.1


@pytest.mark.parametrize(("number", "size"), enumerate(ODD_SIZES), ids=str)
def test_rigids_view_is_the_official_transform(number, size):
    engine = noise_shift.NoiseShift()
    engine._recipe = noise_shift.recipe()
    rgb = image(number, *size)
    assert float((imagenet(engine.view(Request("", rgb, {}))) - rigids_transform(rgb)).abs().max()) < 1e-5


def test_rigids_score_is_the_shift_by_the_images_own_noise(hub_folder):
    engine, rgb = noise_shift.NoiseShift(), image(3, 90, 70)
    engine.load(noise_shift.recipe(), Zoo("mini", {"dinov2_vitl14": hub_folder}), "cpu", Meter())
    request = Request("a" * 32, rgb, {})
    (found,) = engine.run([request], [engine.view(request)])
    drawn = torch.from_numpy(noise("a" * 32, 0, (3, 224, 224)))[None]
    with torch.no_grad():
        wanted = noise_shift.shifts(vit.load(hub_folder, 224), rigids_transform(rgb)[None], drawn, 0.05)
    assert found == pytest.approx(float(wanted), abs=1e-6)
    method = discover.method("rigid")
    assert method(method.Params()).value(Sample(rgb, {"shift": found}, Facts("png", 0, 90, 70, 1))) == found


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The engine of the criterion with the small diffusion model and CLIP, and the official noise by its name."""
    folder = tmp_path_factory.mktemp("models")
    free_embedded.latent_diffusion(folder)
    engine, zoo = manifold_criterion.ManifoldCriterion(), Zoo(str(folder))
    recipe = manifold_criterion.recipe(blip.recipe(), size=free_embedded.SIDE, draws=DRAWS)
    engine.load(recipe, zoo, "cpu", Meter())
    torch.manual_seed(0)
    posterior = torch.randn(len(SIZES), 4, 8, 8)
    added = torch.randn(len(SIZES) * DRAWS, 4, 8, 8).unflatten(0, (len(SIZES), DRAWS))
    return engine, {"posterior": posterior, **{f"{n}": added[:, n] for n in range(DRAWS)}}


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_manifold_bias_gives_the_published_criterion(number, small, monkeypatch):
    engine, drawn = small
    monkeypatch.setattr(manifold_criterion, "noise", lambda name, *_: drawn[name.split()[1]][number].numpy())
    rgb, told = image(number, *SIZES[number]), numbers("manifold_bias")[f"{SIZES[number]}"]
    request = Request("a", rgb, {"caption": f"  {free_embedded.PROMPT}"})
    (found,) = engine.run([request], [engine.view(request)])
    assert found == pytest.approx(told["criterion"], abs=1e-4)
    terms = manifold.Terms(*(torch.tensor([told[name]]) for name in ("bias", "D", "kappa")))
    assert float(manifold.criterion(terms)) == pytest.approx(told["criterion"], abs=1e-6)


@pytest.mark.parametrize(("number", "size"), enumerate(ODD_SIZES), ids=str)
def test_manifold_bias_sees_images_as_published(number, size):
    rgb = image(number, *size)
    pixels = torch.from_numpy(rgb).permute(2, 0, 1).float()
    larger = transforms.Resize(515)(pixels)
    top, left = ((side - 512) // 2 for side in larger.shape[1:])
    wanted = larger[:, top : top + 512, left : left + 512]
    assert float((manifold.framed(pixels[None], 512)[0] - wanted).abs().max()) < 1e-3
    seen = CLIPImageProcessorPil()(torch.from_numpy(rgb).float(), return_tensors="pt").pixel_values[0]
    own = normalised(manifold_criterion.clip_view(rgb, 224), MEAN, STD)
    assert float((own - seen).abs().max()) < 1e-5
