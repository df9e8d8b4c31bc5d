"""Detectors trained on photographs and their twins give the official numbers, and make the official pairs."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torchvision import transforms
from torchvision.transforms import functional as F

from bench import discover
from bench.detector import Facts, Sample
from bench.nets.autoencoder import Autoencoder
from bench.nets.full_resolution import FullResolution
from methods._shared import aligned, augment, jitter
from methods._shared.tensors import imagenet
from tests.parity import free, twins
from tests.parity.seeded import fill, image
from tests.parity.test_parity import numbers

ODD = [(64, 48), (75, 50), (97, 131)]


def method(name, variant="", **changes):
    kind = discover.method(name)
    return kind(kind.Params(**{**kind.variants.get(variant, {}), **changes}))


def sample(rgb, **artefacts):
    return Sample(rgb, artefacts, Facts("png", 0, *rgb.shape[1::-1], 0))


def values(rgb):
    return rgb.reshape(-1, 3)[::97].tolist()


@torch.no_grad()
def test_aligned_forensics_gives_the_published_logits_at_every_size_of_a_batch():
    told, network = numbers("aligned_forensics"), fill(FullResolution((3, 4, 6, 3), 64, 0.5), gain=twins.GAIN)
    assert twins.digest(network.state_dict()) == told["keys"]
    detector, rng = method("aligned_forensics"), np.random.default_rng(0)
    views = [detector.view(sample(image(n, *size)), "test", rng) for n, size in enumerate(twins.SIDES)]
    sides = [max(view["full"].shape[axis] for view in views) for axis in (1, 2)]
    batch = {"full": torch.full((2, 3, *sides), 9.0), "size": torch.stack([view["size"] for view in views])}
    for whole, view in zip(batch["full"], views, strict=True):
        whole[:, : view["full"].shape[1], : view["full"].shape[2]] = view["full"]
    assert detector.logit(network, batch).tolist() == pytest.approx(told["logits"], abs=1e-4)


@pytest.mark.parametrize("number", range(len(free.SIZES)))
def test_its_twins_are_the_published_reconstructions(number, tmp_path):
    rgb, told = image(number, *free.SIZES[number]), numbers("aligned_forensics")["twins"][number]
    free.kl().save_pretrained(tmp_path / "vqvae")
    network = Autoencoder(tmp_path, "cpu")
    drawn = torch.randn(network.latent_shape(rgb), generator=torch.Generator().manual_seed(42)).numpy()
    (made,) = network.round_trip([rgb], [drawn], True, "truncate")
    differences = np.abs(made[::9, ::9, 0].astype(int) - told)
    assert differences.max() <= 1, "a value at a whole number may be cut to either side"
    assert differences.mean() <= 0.02


def test_its_blur_and_compression_are_the_published_ones():
    told, rgb = numbers("aligned_forensics"), image(0, 40, 34)
    assert values(ndimage.gaussian_filter(rgb, (1.5, 1.5, 0))) == told["blur"]
    made = {"cv2": augment.opencv_jpeg(rgb[:, :, ::-1], 42)[:, :, ::-1], "pil": augment.pillow_jpeg(rgb, 42)}
    for name, x in made.items():
        apart = np.abs(np.asarray(values(x)) - told[name])
        assert apart.max() <= 1, name  # Another build of a JPEG library may round otherwise.
        assert (apart > 0).mean() < 0.02, name


@pytest.mark.parametrize("size", ODD, ids=str)
def test_colours_and_crops_are_torchvisions(size):
    rgb = image(0, *size)
    picture = Image.fromarray(rgb)
    changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
    for number, change in enumerate(changes):
        for amount in (0.62, 1.37) if number < 3 else (-0.09, 0.07):
            assert (jitter.recoloured(rgb, number, amount) == np.asarray(change(picture, amount))).all(), change
    assert (jitter.grey(rgb) == np.asarray(F.to_grayscale(picture, 3))).all()
    wanted = F.resized_crop(picture, 3, 5, 31, 29, [40, 40], transforms.InterpolationMode.BILINEAR)
    assert (jitter.resized_crop(rgb, (3, 5, 31, 29), 40) == np.asarray(wanted)).all()


@pytest.mark.parametrize(("height", "width"), [(30, 300), (300, 30)])
def test_a_place_that_never_fits_is_torchvisions_centre(height, width):
    class Largest:
        """Draws what never fits."""

        def uniform(self, low, high):
            return high

    wanted = transforms.RandomResizedCrop.get_params(torch.zeros(3, height, width), [9.0, 9.0], [3 / 4, 4 / 3])
    assert jitter.random_place(height, width, Largest()) == wanted


def test_a_small_image_is_mirrored_as_torchvision_does():
    rgb = image(0, 40, 30)
    pad = F.pad(F.pad(Image.fromarray(rgb), [56, 0], 0, "symmetric"), [0, 66], 0, "symmetric")
    assert (aligned.mirrored(rgb, 96) == np.asarray(pad)).all()


def test_a_hole_is_grey_and_may_be_cut_off_at_two_edges():
    rgb = np.zeros((100, 90, 3), np.uint8)
    for centre, box in (((50, 40), (26, 74, 16, 64)), ((2, 3), (0, 48, 0, 48)), ((100, 90), (76, 100, 66, 90))):
        top, low, left, right = box
        wanted = rgb.copy()
        wanted[top:low, left:right] = 128
        assert (aligned.cut_out(rgb, centre, 48) == wanted).all()


def test_synchronised_pairs_have_the_same_pixels_and_augmentation():
    detector, rgb = method("aligned_forensics", "sync"), image(0, 131, 107)
    twin = rgb[1:105, 1:129]
    for seed in range(20):
        pair = detector.view(sample(rgb, twin=twin), "train", np.random.default_rng(seed))["image"]
        assert pair.shape == (2, 3, 96, 96)
        assert torch.equal(*pair)


def test_pairs_are_photographs_then_twins_and_generated_images_are_not_used():
    detector, logits = method("aligned_forensics", "sync"), torch.tensor([[3.0], [-1.0], [0.5], [2.0]])
    batch = {"image": torch.zeros(2, 2, 3, 8, 8), "label": torch.zeros(2, dtype=torch.int64)}
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor([0.0, 1.0, 0.0, 1.0]))
    assert torch.equal(detector.loss(lambda _: logits, batch), wanted)
    assert [(e.pixels, e.of, e.label) for e in method("aligned_forensics").examples()] == [
        ("image", (0,), 0),
        ("twin", (0,), 1),
    ]


def test_stay_positive_trains_the_last_layer_alone_from_zero_without_negative_weights():
    detector = method("aligned_forensics", "stay_positive", width=8, depths=(1, 1, 1, 1), crop_size=16)
    network = detector.build({}).train()
    assert {name for name, p in network.named_parameters() if p.requires_grad} == {"fc.weight", "fc.bias"}
    assert not any(parameter.any() for parameter in network.fc.parameters())
    optimiser, before = torch.optim.Adam(network.fc.parameters(), 0.1), network.bn1.running_mean.clone()
    batch = {"image": torch.randn(2, 2, 3, 16, 16), "label": torch.zeros(2, dtype=torch.int64)}
    for _ in range(2):
        detector.loss(network, batch).backward()
        optimiser.step()
    shown = {"full": torch.rand(1, 3, 16, 16), "size": torch.tensor([[16, 16]])}
    assert network.fc.weight.min() < 0
    detector.logit(network.eval(), shown)
    assert network.fc.weight.min() == 0
    assert network.fc.weight.max() > 0
    assert not torch.equal(network.bn1.running_mean, before), "as published, statistics of batch norms go on changing"


def test_its_test_view_is_the_whole_image():
    rgb = image(0, 51, 37)
    view = method("aligned_forensics").view(sample(rgb), "test", np.random.default_rng(0))
    assert torch.equal(view["full"], imagenet(rgb))
    assert view["size"].tolist() == [37, 51]
