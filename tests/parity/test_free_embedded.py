"""Detectors that are not trained and compare embeddings give the official numbers."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms

from bench import discover
from bench.artefacts.batching import noise
from bench.artefacts.engine import Request
from bench.artefacts.engines import noise_shift
from bench.detector import Facts, Sample
from bench.models.zoo import Zoo
from bench.nets import vit
from bench.progress import Meter
from methods._shared.tensors import imagenet
from tests.parity import free_embedded
from tests.parity.augmentation import ODD_SIZES
from tests.parity.free_embedded import DINOV2, SIZES, STRENGTHS
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
