import math

import numpy as np
import pytest
import torch

from methods._shared import augment, drct, sare
from tests.conftest import picture


def reference_contrastive(features, labels):
    """pytorch-metric-learning's ContrastiveLoss in plain loops: unit features, means over non-zero terms."""
    unit = [f / f.norm() for f in features]
    close, far = [], []
    for i in range(len(unit)):
        for j in range(len(unit)):
            if i == j:
                continue
            d = float((unit[i] - unit[j]).norm())
            (close if labels[i] == labels[j] else far).append(d if labels[i] == labels[j] else max(0.0, 1 - d))

    def mean(terms):
        kept = [t for t in terms if t > 0]
        return sum(kept) / len(kept) if kept else 0.0

    return mean(close) + mean(far)


@pytest.mark.parametrize("count", [2, 7, 20])
def test_the_contrastive_loss_is_the_closed_form(count):
    torch.manual_seed(count)
    features = torch.randn(count, 5) + 1.5
    labels = torch.arange(count) % 2
    assert math.isclose(drct.contrastive(features, labels), reference_contrastive(features, labels), abs_tol=1e-5)


def test_one_label_alone_gives_no_far_term_and_finite_gradients():
    features = torch.randn(4, 3, requires_grad=True)
    loss = drct.contrastive(features, torch.zeros(4, dtype=torch.long))
    loss.backward()
    assert torch.isfinite(features.grad).all()
    same = torch.ones(3, 4, requires_grad=True)
    drct.contrastive(same, torch.tensor([0, 0, 1])).backward()
    assert torch.isfinite(same.grad).all()


def test_a_turn_moves_image_and_map_alike():
    plane = picture(1, 48, 32)
    for seed in range(8):
        turn = drct.Turn.draw(np.random.default_rng(seed))
        twice = turn.apply(np.concatenate([plane, plane], 2))
        assert (twice[..., :3] == turn.apply(plane)).all()
        assert (twice[..., 3:] == turn.apply(plane)).all()


@pytest.mark.parametrize("size", [(20, 30), (56, 56), (90, 70)])
@pytest.mark.parametrize("full", [False, True])
def test_training_views_have_the_size_asked_for_and_follow_their_seed(size, full):
    rgb = picture(2, *size, grain=5)
    views = []
    for seed in (*range(40), 0):
        rng = np.random.default_rng(seed)
        views.append(drct.train_view(rgb, 56, drct.Turn.draw(rng), full, rng))
    assert {view.shape for view in views} == {(56, 56, 3)}
    assert {view.dtype for view in views} == {np.dtype(np.uint8)}
    assert (views[0] == views[-1]).all()
    assert len({view.tobytes() for view in views[:-1]}) > 20


def test_a_small_image_stands_on_black_in_the_middle():
    seen = drct.test_view(np.full((20, 30, 3), 200, np.uint8), 56)
    assert seen[28, 28].tolist() == [200] * 3
    assert (seen[:18] == 0).all()
    assert (seen[38:] == 0).all()
    assert (seen[18:38, 13:43] == 200).all()


def test_augmentations_change_what_they_say():
    rgb, rng = picture(4, 64, 64, grain=12), np.random.default_rng(0)
    sharp = np.abs(np.diff(rgb.astype(int), axis=1)).mean()
    assert np.abs(np.diff(augment.gaussian_blur(rgb, rng).astype(int), axis=1)).mean() < 0.8 * sharp
    assert np.abs(np.diff(augment.gaussian_noise(rgb, rng).astype(int), axis=1)).mean() > sharp
    assert np.ptp(augment.grey(rgb).astype(int), axis=2).max() == 0
    assert (augment.dropout(rgb, rng) == 0).all(2).sum() >= 8
    assert augment.rescale(rgb, rng).shape != rgb.shape
    assert np.abs(augment.pillow_jpeg(rgb, 30).astype(int) - rgb).max() > 0
    assert (augment.blur_or_jpeg(rgb, 0.0, 0.0, rng) == rgb).all()
    moved = augment.shift_scale_rotate(rgb, rng)
    assert moved.shape == rgb.shape
    assert (moved != rgb).any()
    assert augment.colour(rgb, rng).shape == rgb.shape


def test_the_difference_is_on_the_scale_of_two_and_resized_whole():
    black, white = np.zeros((64, 48, 3), np.uint8), np.full((64, 48, 3), 255, np.uint8)
    made = sare.difference(black, white, 56)
    assert made.shape == (3, 56, 56)
    assert torch.allclose(made, torch.full_like(made, 2.0))


def test_cross_attention_is_torchs_own():
    torch.manual_seed(0)
    ours = sare.CrossAttention(16, 24, 4)
    theirs = torch.nn.MultiheadAttention(16, 4, kdim=24, vdim=24, batch_first=True)
    with torch.no_grad():
        for name in "qkv":
            getattr(theirs, f"{name}_proj_weight").copy_(getattr(ours, name).weight)
        theirs.in_proj_bias.copy_(torch.cat([getattr(ours, name).bias for name in "qkv"]))
        theirs.out_proj.load_state_dict(ours.o.state_dict())
    query, grid = torch.randn(3, 2, 16), torch.randn(3, 49, 24)
    assert torch.allclose(ours(query, grid), theirs(query, grid, grid)[0], atol=1e-6)
