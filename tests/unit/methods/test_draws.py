"""What training augmentations draw, how often and how strong, as published."""

import numpy as np
import pytest

from methods._shared import augment, drct
from tests.conftest import picture


class Counted:
    """Counts how often functions of a module are called, and with which arguments."""

    def __init__(self, monkeypatch, module, *names):
        self.calls = {name: [] for name in names}
        for name in names:
            monkeypatch.setattr(module, name, self.wrapped(name, getattr(module, name)))

    def wrapped(self, name, function):
        def called(rgb, *rest):
            self.calls[name].append(rest)
            return function(rgb, *rest)

        return called

    def share(self, name, count):
        return len(self.calls[name]) / count


TIMES = 3000
#: Four deviations of a share of TIMES draws.
NEAR = 4 * 0.5 / TIMES**0.5


@pytest.mark.parametrize("full", [False, True])
def test_drcts_augmentations_are_drawn_as_often_as_published(monkeypatch, full):
    """beibuwandeluori/DRCT@01aa7d0:data/transform.py; albumentations' own probability is one half."""
    names = ("image_compression", "gaussian_noise", "gaussian_blur", "rescale", "colour", "dropout", "grey")
    counted, rgb = Counted(monkeypatch, augment, *names, "shift_scale_rotate"), picture(1, 12, 12)
    turns = []
    for seed in range(TIMES):
        rng = np.random.default_rng(seed)
        turns.append(drct.Turn.draw(rng))
        drct.train_view(rgb, 8, turns[-1], full, rng)
    expected = {"image_compression": 0.5, "gaussian_noise": 0.1, "gaussian_blur": 0.1}
    rest = {"rescale": 0.2, "colour": 0.5, "dropout": 0.5, "grey": 0.2, "shift_scale_rotate": 0.5}
    expected |= rest if full else dict.fromkeys(rest, 0.0)
    assert {name: counted.share(name, TIMES) for name in expected} == pytest.approx(expected, abs=NEAR)
    assert np.mean([turn.mirrored for turn in turns]) == pytest.approx(0.5, abs=NEAR)
    quarters = np.bincount([turn.quarters for turn in turns], minlength=4) / TIMES
    assert quarters == pytest.approx([0.5 + 0.125, 0.125, 0.125, 0.125], abs=NEAR)


def test_drcts_augmentations_are_as_strong_as_published(monkeypatch):
    qualities, kernels, scales, warps, colours, rgb = [], [], [], [], [], picture(1, 40, 40)
    monkeypatch.setattr(augment, "opencv_jpeg", lambda x, quality: qualities.append(quality) or x)
    monkeypatch.setattr(augment.cv2, "GaussianBlur", lambda x, size, sigma: kernels.append((size[0], sigma)) or x)
    monkeypatch.setattr(augment, "scaled", lambda x, scale: scales.append(scale) or x)
    monkeypatch.setattr(augment, "warped", lambda x, *rest: warps.append(rest) or x)
    kinds = ("brightness_contrast", "fancy_pca", "hue_saturation_value")
    for kind in kinds:
        monkeypatch.setattr(augment, kind, lambda x, *rest, kind=kind: colours.append((kind, rest)) or x)
    noises = []
    for seed in range(TIMES):
        rng = np.random.default_rng(seed)
        augment.image_compression(rgb, rng)
        augment.gaussian_blur(rgb, rng)
        augment.rescale(rgb, rng)
        augment.shift_scale_rotate(rgb, rng)
        augment.colour(rgb, rng)
        if seed < 300:
            grey = np.full((40, 40, 3), 128, np.uint8)
            noises.append((augment.gaussian_noise(grey, rng).astype(float) - 127.5).var())
    assert (min(qualities), max(qualities)) == (30, 100)
    assert {size for size, _ in kernels} == {3, 5, 7}
    assert {sigma for _, sigma in kernels} == {0}
    assert np.mean([size == 3 for size, _ in kernels]) == pytest.approx(0.2, abs=NEAR)
    assert (min(scales), max(scales)) == pytest.approx((0.5, 1.5), abs=0.01)
    angles, sizes, shifts = zip(*warps, strict=True)
    assert (min(angles), max(angles)) == pytest.approx((-10, 10), abs=0.1)
    assert (min(sizes), max(sizes)) == pytest.approx((0.8, 1.2), abs=0.01)
    assert np.abs(shifts).max() == pytest.approx(0.1, abs=0.001)
    assert [np.mean([k == kind for k, _ in colours]) for kind in kinds] == pytest.approx([1 / 3] * 3, abs=NEAR)
    drawn = {kind: np.asarray([rest for k, rest in colours if k == kind]) for kind in kinds}
    assert drawn["brightness_contrast"].min(0) == pytest.approx([0.8, -0.2], abs=0.01)
    assert drawn["brightness_contrast"].max(0) == pytest.approx([1.2, 0.2], abs=0.01)
    assert drawn["fancy_pca"].std() == pytest.approx(0.1, abs=0.01)
    assert np.abs(drawn["hue_saturation_value"]).max(0) == pytest.approx([20, 30, 20], abs=0.3)
    assert 9 < min(noises) < 14
    assert 45 < max(noises) < 53


def test_dropout_is_eight_squares_or_a_grid_of_quarters():
    """CoarseDropout() and GridDropout() of albumentations 1.3 at the published side of 224."""
    white, shares = np.full((224, 224, 3), 255, np.uint8), []
    for seed in range(60):
        black = (augment.dropout(white, np.random.default_rng(seed)) == 0).all(2)
        shares.append(black.mean())
        if black.mean() > 0.1:
            assert black[:11, :11].all()
            assert not black[11:22, :].any()
            assert not black[:, 11:22].any()
        else:
            assert 8 * 64 * 0.6 <= black.sum() <= 8 * 64
    grids = np.asarray(shares) > 0.1
    assert 0.3 < grids.mean() < 0.7
    assert np.asarray(shares)[grids] == pytest.approx(0.25, abs=0.02)


def test_cnndetections_augmentations_are_drawn_as_published(monkeypatch):
    """PeterWang512/CNNDetection@ea0b562:data/datasets.py: σ in 0…3, quality in 30…100, one of two encoders."""
    sigmas, qualities, rgb = [], {"opencv": [], "pillow": []}, picture(1, 12, 12)
    monkeypatch.setattr(augment.ndimage, "gaussian_filter", lambda x, sigma: sigmas.append(sigma) or x)
    monkeypatch.setattr(augment, "opencv_jpeg", lambda x, quality: qualities["opencv"].append(quality) or x)
    monkeypatch.setattr(augment, "pillow_jpeg", lambda x, quality: qualities["pillow"].append(quality) or x)
    for seed in range(TIMES):
        augment.blur_or_jpeg(rgb, 0.1, 0.5, np.random.default_rng(seed))
    assert len(sigmas) / TIMES == pytest.approx(0.1, abs=NEAR)
    assert {sigma[2] for sigma in sigmas} == {0}
    assert (min(s[0] for s in sigmas), max(s[0] for s in sigmas)) == pytest.approx((0, 3), abs=0.05)
    assert len(qualities["opencv"]) / TIMES == pytest.approx(0.25, abs=NEAR)
    assert len(qualities["pillow"]) / TIMES == pytest.approx(0.25, abs=NEAR)
    assert {(min(q), max(q)) for q in qualities.values()} == {(30, 100)}


def test_opencvs_encoder_sees_the_channels_in_its_own_order(monkeypatch):
    seen, rgb = [], picture(1, 12, 12)
    monkeypatch.setattr(augment, "opencv_jpeg", lambda x, quality: seen.append(x.copy()) or x)
    out = [augment.blur_or_jpeg(rgb, 0.0, 1.0, np.random.default_rng(seed)) for seed in range(8)]
    assert seen
    assert all((x == rgb[:, :, ::-1]).all() for x in seen)
    assert any((x == rgb).all() for x in out)
    monkeypatch.undo()
    monkeypatch.setattr(augment, "opencv_jpeg", lambda x, quality: seen.append(x.copy()) or x)
    augment.image_compression(rgb, np.random.default_rng(0))
    assert (seen[-1] == rgb).all(), "albumentations hands RGB over as it is"
