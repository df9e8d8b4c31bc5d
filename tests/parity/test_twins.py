"""Detectors trained on photographs and their twins give the official numbers, and make the official pairs."""

import json

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
from methods._shared import aligned, augment, dda, jitter
from methods._shared.drct import contrastive
from methods._shared.tensors import imagenet
from tests.parity import free, twins
from tests.parity.seeded import SIZES, fill, image
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


def adapted(folder, state, **changes):
    """DDA and its network with the tensors of a released file."""
    detector = method("dda", crop_size=twins.SIDE, **changes)
    torch.save(detector.copies(state)["dinov2_vitl14"], folder / "dinov2.pth")
    (folder / "config.json").write_text(json.dumps({"num_attention_heads": twins.SMALL.heads}))
    return detector, detector.build({"dinov2_vitl14": folder})


@torch.no_grad()
def test_dda_gives_the_published_logits_with_the_published_file(tmp_path):
    told, state = numbers("dda"), twins.released(twins.SMALL)
    assert twins.digest(state) == told["keys"]
    detector, network = adapted(tmp_path, state)
    network.load_state_dict(detector.official(state), strict=True)
    assert detector.foreign(network, state) == ""
    logits, features = network.eval()(twins.views())
    assert logits[:, 0].tolist() == pytest.approx(told["logits"], abs=1e-4)
    assert features[:, ::7].numpy() == pytest.approx(np.asarray(told["features"]), abs=1e-4)
    state["base_model.model.blocks.0.mlp.fc1.original_layer.bias"] += 0.1
    assert "blocks.0.mlp.fc1.bias" in detector.foreign(network, state)


def test_dda_trains_what_the_published_trainer_trains(tmp_path):
    """It lists every update twice and the last layer not at all; `intended` trains the last layer too."""
    told = numbers("dda")["trained"]
    assert (told["listed"], told["last layer"]) == (2 * told["distinct"], False)
    for published in (True, False):
        detector, network = adapted(tmp_path, twins.released(twins.SMALL), as_published=published)
        names = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
        assert len({name for name in names if "lora" in name}) == told["distinct"]
        assert ("fc.weight" in names) is not published
        assert detector.schedule().lr == pytest.approx(2e-4 if published else 1e-4)
        assert not any(parameter.requires_grad for parameter in network.backbone.parameters())


def test_dda_prepares_the_published_tensors():
    for number, (total, pixels) in enumerate(numbers("dda")["prepared"]):
        rgb = image(number, *SIZES[number])
        x = method("dda").view(sample(rgb), "test", np.random.default_rng(0))["image"]
        assert float(x.sum()) == pytest.approx(total, rel=1e-5)
        assert x[:, ::71, ::67].numpy() == pytest.approx(np.asarray(pixels), abs=1e-6)


def test_the_steps_of_its_pairs_are_the_published_ones():
    told, real, twin = numbers("dda"), image(0, 40, 34), image(1, 40, 34)
    made = {
        "pixel mix": dda.pixel_mix(real, twin, 0.3),
        "frequency mix": dda.frequency_mix(real, twin, 0.3),
        "compressed": dda.compressed(real, 90),
        "smaller": dda.resized(real, 0.73, Image.Resampling.HAMMING),
        "larger": dda.resized(real, 1.41, Image.Resampling.LANCZOS),
        "motion": dda.motion_blur(real, 30),
        "sharpened": dda.sharpened(real, 2.0),
    }
    for name, x in made.items():
        apart = np.abs(np.asarray(values(x)) - told[name])
        assert apart.max() <= 1, name  # A value at the border of two grey levels.
        assert (apart > 0).mean() < 0.02, name
    assert dda.compressed(real, 100) is real


@pytest.mark.parametrize(("side", "sigma"), [(3, 0.4), (5, 1.7)])
def test_its_blur_is_torchvisions(side, sigma):
    rgb = image(0, 75, 50)
    wanted = np.asarray(F.gaussian_blur(Image.fromarray(rgb), [side, side], [sigma, sigma]))
    assert np.abs(dda.gaussian_blur(rgb, side, sigma).astype(int) - wanted).max() <= 1
    assert (dda.gaussian_blur(rgb, side, sigma) != wanted).mean() < 0.01


def test_its_views_are_three_of_the_photograph_and_three_of_the_twin_with_one_augmentation():
    detector, rgb = method("dda", crop_size=48, mix_prob=0.0), image(0, 83, 71)
    for seed in range(20):
        shown = Sample(rgb, {"twin": rgb[3:67, 1:81]}, Facts("jpeg", 100, 83, 71, 1))
        views = detector.view(shown, "train", np.random.default_rng(seed))["image"]
        assert views.shape == (6, 3, 48, 48)
        assert torch.equal(views[:3], views[3:])
        assert not torch.equal(views[0], views[1])
    factors = {x.shape[0] / 64 for x in dda.in_three_sizes((rgb[:64], rgb[:64]), np.random.default_rng(1))}
    low, own, high = sorted(factors)
    assert 0.19 < low < own == 1 < high < 3.5


def test_a_twin_is_compressed_at_its_photographs_quality_half_of_the_time(monkeypatch):
    qualities = []
    monkeypatch.setattr(dda, "pillow_jpeg", lambda rgb, quality: qualities.append(quality) or rgb)
    rgb = image(0, 8, 8)
    for seed in range(400):
        for known in (0, 80):
            dda.aligned(rgb, rgb, known, 0.0, 0.8, np.random.default_rng(seed))
    assert set(qualities) == {80, 96}
    assert len(qualities) == pytest.approx(400, abs=4 * (800 * 0.25) ** 0.5)


def test_its_loss_is_half_cross_entropy_and_half_contrast_of_two_photographs_at_a_time():
    drawn = torch.Generator().manual_seed(0)
    logits, features = torch.randn(24, 1, generator=drawn), torch.randn(24, 8, generator=drawn)
    labels = torch.tensor([0, 0, 0, 1, 1, 1] * 4)
    crossed = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels.float())
    compared = (contrastive(features[:12], labels[:12]) + contrastive(features[12:], labels[12:])) / 2
    batch = {"image": torch.zeros(4, 6, 3, 8, 8), "label": torch.zeros(4, dtype=torch.int64)}
    assert torch.allclose(method("dda").loss(lambda _: (logits, features), batch), crossed / 2 + compared / 2)
