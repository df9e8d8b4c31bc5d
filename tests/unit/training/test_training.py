import os
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from bench.artefacts.geometry import center_crop_arr, crop, resize_short_side
from bench.detector import Example, Plateau, Schedule
from bench.errors import BenchError
from bench.execution.toy import ToyReader
from bench.progress import Meter, Progress
from bench.training import budgets, network, statistic
from bench.training.early_stop import EarlyStop
from bench.training.examples import Reference, controlled
from bench.training.loader import Runtime, padded
from bench.training.network import Training
from bench.training.optimiser import parameter_groups
from bench.types import Slice
from tests.conftest import item, picture


def test_early_stop_falls_twice_by_ten_and_then_stops():
    stop = EarlyStop(Plateau(patience=5, gains=(0.001, 0.002), min_lr=1e-6), 1e-4)
    assert stop.step(0.9)
    rates = []
    for _ in range(15):
        assert not stop.stopped
        stop.step(0.9005)
        rates.append(stop.lr)
    assert rates == pytest.approx([1e-4] * 4 + [1e-5] * 5 + [1e-6] * 5 + [1e-7])
    assert stop.stopped


def test_early_stop_wants_a_larger_gain_after_the_first_fall():
    stop = EarlyStop(Plateau(patience=1), 1e-4)
    stop.step(0.5)
    assert stop.step(0.5011)
    assert not stop.step(0.5011)
    assert not stop.step(0.5025)
    assert stop.step(0.5035)


class Fading:
    """A detector whose validation loss is lowest after its third epoch: weight 2 of logits weight · x."""

    budget, calibrates, ragged = "plateau", False, False

    def build(self, weights):
        model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(model.weight, -1.0)
        return model

    def view(self, sample, stage, rng):
        return {"image": torch.ones(1)}

    def loss(self, model, batch):
        return -model.weight.sum()  # Its gradient is −1: Adam's steps are the learning rate.

    def logit(self, model, batch):
        weight = model(batch["image"])[:, 0]
        return (1 - (weight - 2) ** 2) * (2.0 * batch["label"] - 1)

    def schedule(self):
        return Schedule(4, 2, "adam", lr=1.0, cosine=2, keep_best=True)


def test_the_budget_plateau_ends_when_the_validation_loss_rises_and_keeps_the_lowest(tmp_path, monkeypatch):
    monkeypatch.setattr(budgets, "PATIENCE", 4)
    part = Slice("genimage", "sdv14", "train", tuple(item(i, i % 2) for i in range(2)))
    refs = [Reference(part, i, i, Example(), {}) for i in part.items]
    training = Training(Fading(), {}, 0, tmp_path, Runtime(ToyReader(), "cpu", Meter(), Progress()))
    training.run(refs, refs)
    assert (training.epoch, training.stop.stopped) == (3 + 4, True)
    assert training.model.weight.item() == pytest.approx(2.0, abs=1e-3)
    assert training.record()["best_val_loss"] == pytest.approx(np.log1p(np.exp(-1)), abs=1e-4)


def test_the_budget_recipe_is_the_methods_own_schedule():
    detector = Fading()
    detector.budget = "recipe"
    assert budgets.scheduled(detector) == detector.schedule()


def test_permuted_artefacts_are_never_an_images_own():
    part = Slice("genimage", "sdv14", "test", tuple(item(i, i % 2) for i in range(9)))
    refs = [Reference(part, i, i, Example(), {}) for i in part.items]
    mixed = controlled("permuted", refs, 0)
    assert [r.item for r in mixed] == list(part.items)
    assert all(r.donor != r.item for r in mixed)
    assert {r.donor.row_id for r in mixed} == {i.row_id for i in part.items}
    assert controlled("permuted", refs, 0) == mixed


@pytest.mark.parametrize(("control", "same"), [("permuted_within", True), ("permuted_across", False)])
def test_permutations_within_and_across_classes(control, same):
    part = Slice("genimage", "sdv14", "test", tuple(item(i, int(i < 3)) for i in range(9)))
    refs = [Reference(part, i, i, Example(), {}) for i in part.items]
    mixed = controlled(control, refs, 0)
    assert [r.item for r in mixed] == list(part.items)
    assert all((r.donor.label == r.item.label) == same and r.donor != r.item for r in mixed)
    assert [r.donor for r in mixed] != [r.donor for r in controlled(control, refs, 1)]
    if same:
        assert {r.donor for r in mixed} == set(part.items)


def test_zeroed_artefacts_have_their_shape_and_type():
    class Fixed:
        def image(self, part, item):
            return np.ones((2, 2, 3), np.uint8)

        def artefact(self, recipe, item):
            return {"map": np.ones((4, 2), np.float32), "caption": "a dog", "number": 3.5}[recipe]

        def facts(self, part, item):
            return None

    part = Slice("genimage", "sdv14", "test", (item(1, 1),))
    kinds = ("map", "caption", "number")
    ref = Reference(part, part.items[0], part.items[0], Example(), {kind: kind for kind in kinds})
    (zeroed,) = controlled("zeroed", [ref], 0)
    artefacts = zeroed.sample(Fixed()).artefacts
    assert artefacts["map"].dtype == np.float32
    assert (artefacts["map"] == np.zeros((4, 2))).all()
    assert [artefacts[kind] for kind in kinds[1:]] == ["", 0.0]
    assert ref.sample(Fixed()).artefacts["caption"] == "a dog"


def test_words_become_smoothed_log_odds_and_unknown_words_say_nothing():
    state = statistic.fit(["png", "png", "jpeg", "jpeg", "png"], [1, 1, 0, 0, 0])
    logits = statistic.logits(state, ["png", "jpeg", "webp"])
    assert logits == pytest.approx([np.log(2.5 / 1.5), np.log(0.5 / 2.5), 0.0])


def test_numbers_become_a_monotone_logit_of_the_right_sign():
    rng = np.random.default_rng(0)
    labels = [0] * 50 + [1] * 50
    values = [float(v) for v in np.r_[rng.normal(5, 1, 50), rng.normal(3, 1, 50)]]
    logits = statistic.logits(statistic.fit(values, labels), [2.0, 4.0, 6.0])
    assert logits[0] > 0 > logits[2]
    assert abs(logits[1]) < 0.6


def test_constant_numbers_are_no_error():
    assert np.isfinite(statistic.logits(statistic.fit([1.0] * 6, [0, 1] * 3), [1.0, 2.0])).all()


@pytest.mark.parametrize("size", [(64, 64), (500, 375), (300, 700), (32, 48)])
def test_resizing_the_short_side_is_torchvisions(size):
    rgb = picture(1, *size, grain=20)
    expected = np.asarray(v2.functional.resize(Image.fromarray(rgb), 100))
    assert (resize_short_side(rgb, 100) == expected).all()


@pytest.mark.parametrize("size", [(64, 64), (61, 80)])
def test_the_centre_crop_is_torchvisions(size):
    rgb = picture(2, *size)
    expected = np.asarray(v2.functional.center_crop(Image.fromarray(rgb), 56))
    assert (crop(rgb, 56, None) == expected).all()


def test_random_crops_reach_every_corner():
    rgb = np.dstack([np.indices((6, 5))[0], np.indices((6, 5))[1], np.zeros((6, 5))]).astype(np.uint8)
    rng = np.random.default_rng(0)
    corners = {tuple(crop(rgb, 4, rng)[0, 0, :2].tolist()) for _ in range(200)}
    assert corners == {(y, x) for y in range(3) for x in range(2)}


def test_center_crop_arr_halves_by_box_before_it_resizes():
    rgb = picture(3, 256, 300, grain=30)
    halved = Image.fromarray(rgb).resize((128, 150), Image.Resampling.BOX)
    expected = np.asarray(halved.resize((100, 117), Image.Resampling.BICUBIC))[8:108]
    assert (center_crop_arr(rgb, 100) == expected).all()
    assert (center_crop_arr(rgb[:64, :64], 64) == rgb[:64, :64]).all()


def test_ragged_views_are_padded_at_the_bottom_and_the_right():
    views = [
        {"full": torch.ones(3, 2, 5), "size": torch.tensor([2, 5]), "label": torch.tensor(1)},
        {"full": torch.ones(3, 4, 3), "size": torch.tensor([4, 3]), "label": torch.tensor(0)},
    ]
    batch = padded(views)
    assert batch["full"].shape == (2, 3, 4, 5)
    assert batch["full"].sum((1, 2, 3)).tolist() == [30, 36]
    assert batch["full"][0, :, :2].sum() == 30
    assert batch["size"].tolist() == [[2, 5], [4, 3]]
    assert batch["label"].tolist() == [1, 0]


def rates(schedule, epochs, tmp_path):
    """The rate of every epoch, of a fit that learns nothing."""
    detector = SimpleNamespace(budget="recipe", schedule=lambda: schedule, build=lambda _: torch.nn.Linear(1, 1))
    training = Training(detector, {}, 0, tmp_path, Runtime(None, "cpu", Meter(), Progress()))
    found = []
    for training.epoch in range(epochs):
        training.optimiser.set_rate(training.epoch, training.stop.lr)
        found.append(training.optimiser._optimiser.param_groups[0]["lr"])
    return found


def test_weights_below_a_prefix_learn_at_a_rate_of_their_own():
    model = torch.nn.Sequential(OrderedDict(encoder=torch.nn.Linear(2, 2), head=torch.nn.Linear(2, 1)))
    model.encoder.bias.requires_grad_(False)
    groups = parameter_groups(model, Schedule(1, 1, rate_factors={"encoder.": 0.1}))
    found = {id(p): group["factor"] for group in groups for p in group["params"]}
    assert found == {id(model.encoder.weight): 0.1, id(model.head.weight): 1.0, id(model.head.bias): 1.0}


def test_drcts_rate_swings_as_torchs_cosine_and_is_zero_at_epochs_5_and_15(tmp_path):
    found = rates(Schedule(17, 4, "adamw", 1e-4, cosine=5), 17, tmp_path)
    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), 1e-4)
    official = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
    wanted = []
    for _ in range(17):
        wanted.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        official.step()
    assert found == pytest.approx(wanted, abs=1e-12)
    assert found[5] == found[15] == pytest.approx(0, abs=1e-12)
    assert found[10] == pytest.approx(1e-4)


def test_a_step_schedule_falls_as_torchs(tmp_path):
    found = rates(Schedule(25, 4, lr=5e-4, step_size=10, gamma=0.8), 25, tmp_path)
    assert found[:10] == [5e-4] * 10
    assert found[10:20] == pytest.approx([4e-4] * 10)
    assert found[20] == pytest.approx(3.2e-4)


def test_gradients_are_clipped_to_the_norm(tmp_path):
    """One step of plain Adam hides the norm, so the gradient itself is looked at after the step."""
    seen = []

    class Loud(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) * 1e6

    views = [{"x": torch.ones(1), "label": torch.tensor(i % 2)} for i in range(4)]
    detector = SimpleNamespace(
        budget="recipe",
        schedule=lambda: Schedule(1, 4, clip_norm=5.0),
        build=lambda _: Loud(1, 1),
        view=lambda sample, stage, rng: sample,
        loss=lambda model, batch: model(batch["x"]).square().mean(),
        ragged=False,
        calibrates=False,
    )
    refs = [
        SimpleNamespace(item=item(i, 0), example=Example(), label=i % 2, sample=lambda _, i=i: {"x": views[i]["x"]})
        for i in range(4)
    ]
    training = Training(detector, {}, 0, tmp_path, Runtime(None, "cpu", Meter(), Progress()))
    training.optimiser._optimiser.register_step_post_hook(
        lambda *_: seen.append(torch.cat([p.grad.flatten() for p in training.model.parameters()]).norm().item())
    )
    training.run(refs, [])
    assert seen == pytest.approx([5.0], rel=1e-4)


LINE = SimpleNamespace(
    budget="recipe", schedule=lambda: Schedule(2, 4, "adam", 1e-3), build=lambda _: torch.nn.Linear(3, 2)
)


def test_a_damaged_state_is_told_and_training_begins_anew(tmp_path):
    warned = []
    progress = Progress()
    progress.warn = warned.append
    (tmp_path / "state.pt").write_bytes(b"junk")
    old = tmp_path / "state.pt.1.part"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    new = tmp_path / "state.pt.2.part"
    new.write_bytes(b"")
    training = Training(LINE, {}, 0, tmp_path, Runtime(None, "cpu", Meter(), progress))
    training.resume()
    assert training.epoch == 0
    assert "state.pt is damaged" in warned[0]
    assert (old.exists(), new.exists()) == (False, True), "of a run that was killed, and of one that may live"


def test_a_damaged_fit_names_its_folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(BenchError, match="damaged") as caught:
        network.load_model(LINE, {}, tmp_path, "cpu")
    assert str(tmp_path) in caught.value.problem
