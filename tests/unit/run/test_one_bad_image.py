"""One image or chunk that fails costs itself: not its recipe, its fit or its cell."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bench import discover
from bench.data.decode import image_id
from bench.detector import Card, Detector, Schedule
from bench.ledger.folder import Results
from bench.progress import Progress
from bench.recipe import SOURCE, Recipe
from bench.recon.engine import Engine
from bench.recon.store import Store
from bench.run.estimate import Rates, fit_folder, left_out
from bench.run.execute import Session
from bench.run.hands import Hands
from bench.run.request import Chosen
from bench.run.units import Trial, cut_fits, cut_jobs
from bench.types import Cell, Fit, Job, Plan, Slice
from tests.conftest import item, picture

RECIPE = Recipe("moody", 1, {}, inputs={"image": SOURCE})
#: Images over which the engine, or the detector, stumbles; a count says how often before it gets over it.
STUMBLES = {}


def stumble(identity, where):
    left = STUMBLES.get((where, identity), 0)
    if left:
        STUMBLES[where, identity] = left - 1
        raise ValueError(f"cannot stand {identity[:4]}")


class Moody(Engine):
    name, version, payload, batch, seconds = "moody", 1, "png", 4, 0.0
    calls = 0

    def forwards(self, recipe):
        return 1

    def load(self, recipe, zoo, device, meter):
        pass

    def view(self, request):
        return request.rgb

    def run(self, requests, views):
        Moody.calls += 1
        for identity in dict.fromkeys(request.image_id for request in requests):
            stumble(identity, "engine")
        return [255 - view for view in views]


@dataclass(frozen=True)
class Params:
    pass


class Mean(Detector):
    card = Card("Mean", "none", "none", "none", "none", "1 = fake", 1)
    Params = Params
    artefacts = False

    def needs(self, stage):
        return {"made": RECIPE} if self.artefacts else {}

    def build(self, weights):
        return nn.Linear(3, 1)

    def view(self, sample, stage, rng):
        stumble(image_id(sample.rgb), stage)
        rgb = sample.artefacts["made"] if self.artefacts else sample.rgb
        return {"x": torch.from_numpy(np.asarray(rgb, np.float32).mean((0, 1)))}

    def loss(self, model, batch):
        return nn.functional.binary_cross_entropy_with_logits(self.logit(model, batch), batch["label"].float())

    def logit(self, model, batch):
        return model(batch["x"])[:, 0]

    def schedule(self):
        return Schedule(2, 4, keep_best=True)


class WithArtefacts(Mean):
    artefacts = True


class Told(Progress):
    def __init__(self):
        self.said = []

    def note(self, message):
        self.said.append(message)

    warn = note


class World:
    """Twelve images to train on, four to choose by, eight to test on; an engine and a detector."""

    def __init__(self, root, method=Mean):
        self.root, self.method = root, method
        self.items = []
        for number in range(24):
            path = root / f"{number}.png"
            rgb = picture(number, 16, 16)
            Image.fromarray(rgb).save(path)
            self.items.append(item(number, number % 2, 16, 16, path=path, image_id=image_id(rgb), container="png"))
        self.train, self.val, self.test = (
            Slice("genimage", "sdv14", role, tuple(self.items[a:b]))
            for role, a, b in (("train", 0, 12), ("val", 12, 16), ("test", 16, 24))
        )
        recipes = (RECIPE.key,) if method.artefacts else ()
        keys = ((self.train.key,), (self.val.key,))
        self.fit = Fit("mean", "", 1, {}, {}, recipes, "sdv14", *keys, "raw", 0)
        self.cell = Cell(self.fit, self.test)

    def run(self):
        """Everything that is left to do, by one process; the session."""
        store, parts = Store(self.root / "store"), (self.train, self.val, self.test)
        jobs = tuple(Job(RECIPE, part) for part in parts) if self.method.artefacts else ()
        plan = Plan({part.key: part for part in parts}, jobs, (self.fit,), (self.cell,))
        session = Session(store, None, Results(self.root / "results"), "cpu", 0, Told())
        methods = {("mean", ""): Chosen("mean", "", self.method(Params()))}
        hands = Hands(plan, methods, session)
        trials = cut_fits(plan, methods, store, session.results, Rates(), lambda role: "")
        for unit in [*cut_jobs(plan, store, Rates()), *trials]:
            hands.do(unit)
        hands.close()
        return session

    def scores(self):
        return Results(self.root / "results").read_scores(f"scores/mean/{self.fit.key}/{self.cell.name}.parquet")

    def record(self):
        return json.loads((fit_folder(Store(self.root / "store"), self.fit.key) / "fit.json").read_text())


@pytest.fixture(autouse=True)
def calm(monkeypatch):
    monkeypatch.setattr(discover, "engine", lambda name: Moody)
    STUMBLES.clear()
    Moody.calls = 0


FOREVER = 10**6


def test_a_chunk_that_fails_once_is_tried_again(tmp_path):
    world = World(tmp_path, WithArtefacts)
    STUMBLES["engine", world.items[3].image_id] = 1
    session = world.run()
    assert (session.failed, session.lost.get(RECIPE.key)) == ({}, {})
    assert world.record()["train_images"] == 12
    assert set(world.scores().status) == {"ok"}


def test_an_image_that_no_engine_stands_is_quarantined_for_its_recipe_alone(tmp_path):
    world = World(tmp_path, WithArtefacts)
    bad = [world.items[3], world.items[20]]
    for one in bad:
        STUMBLES["engine", one.image_id] = FOREVER
    session = world.run()
    assert session.failed == {}
    assert set(session.lost[RECIPE.key]) == {one.image_id for one in bad}
    assert session.meter.artefacts_made == 22
    scores = world.scores()
    lines = zip(scores.row_id, scores.status, scores.reason, strict=True)
    reason = f"ValueError: cannot stand {bad[1].image_id[:4]}"
    assert [line for line in lines if line[1] != "ok"] == [(bad[1].row_id, "no_artefact", reason)]
    assert sum(np.isfinite(scores.logit)) == 7
    assert world.record()["train_images"] == 11
    assert list(world.record()["without_artefacts"]) == [bad[0].row_id]
    told = [line for line in session.progress.said if "quarantined" in line]
    assert len(told) == 2
    assert any(str(bad[0].path) in line for line in told)


def test_once_the_artefact_can_be_made_the_end_is_that_of_an_undisturbed_run(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    world, calm = World(tmp_path / "a", WithArtefacts), World(tmp_path / "b", WithArtefacts)
    for number in (3, 20):
        STUMBLES["engine", world.items[number].image_id] = FOREVER
    world.run()
    again = world.run()
    assert again.meter.fits_trained == 0, "as long as nothing has changed nothing is trained anew"
    STUMBLES.clear()
    assert world.run().meter.fits_trained == 1
    calm.run()
    assert world.scores() == calm.scores()
    assert left_out(Store(tmp_path / "a" / "store"), world.fit) == {}
    last = world.run().meter
    assert (last.artefacts_made, last.fits_trained, last.forwards) == (0, 0, 0)


def test_an_engine_that_stands_nothing_fails_its_recipe(tmp_path):
    world = World(tmp_path, WithArtefacts)
    for one in world.items:
        STUMBLES["engine", one.image_id] = FOREVER
    session = world.run()
    assert RECIPE.key in session.failed
    assert "cannot stand" in session.failed[RECIPE.key]


def test_a_bad_image_of_a_fit_is_left_out_named_and_recorded(tmp_path):
    world = World(tmp_path)
    bad = world.items[5]
    STUMBLES["train", bad.image_id] = FOREVER
    session = world.run()
    assert session.failed == {}
    assert world.record()["train_images"] == 11
    assert world.record()["left_out"] == {bad.row_id: f"ValueError: cannot stand {bad.image_id[:4]}"}
    assert any(f"left out of {world.fit.title}" in line for line in session.progress.said)
    assert not list(fit_folder(Store(tmp_path / "store"), world.fit.key).glob("left_out.json"))
    assert set(world.scores().status) == {"ok"}


def test_a_fit_without_a_bad_image_is_the_fit_of_the_others(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    world, other = World(tmp_path / "a"), World(tmp_path / "b")
    STUMBLES["train", world.items[5].image_id] = FOREVER
    world.run()
    STUMBLES.clear()
    kept = tuple(one for one in other.train.items if one.row_id != world.items[5].row_id)
    other.train = Slice("genimage", "sdv14", "train", kept)
    other.fit = Fit("mean", "", 1, {}, {}, (), "sdv14", (other.train.key,), (other.val.key,), "raw", 0)
    other.cell = Cell(other.fit, other.test)
    other.run()
    assert world.scores().logit == other.scores().logit


def test_a_bad_image_of_a_cell_has_no_score_and_its_reason(tmp_path):
    world = World(tmp_path)
    bad = world.items[17]
    STUMBLES["test", bad.image_id] = FOREVER
    session = world.run()
    assert session.failed == {}
    scores = world.scores()
    found = dict(zip(scores.row_id, scores.reason, strict=True))
    assert found[bad.row_id] == f"ValueError: cannot stand {bad.image_id[:4]}"
    assert sorted(scores.status) == ["failed", *["ok"] * 7]
    assert world.run().meter.forwards == 0, "nothing is waited for"


def test_a_class_without_an_image_left_fails_the_fit_in_words(tmp_path):
    world = World(tmp_path)
    for one in world.train.items:
        if one.label == 1:
            STUMBLES["train", one.image_id] = FOREVER
    session = world.run()
    assert "A class has no image to train on" in session.failed[world.fit.key]


def test_a_damaged_artefact_is_made_again_on_the_way(tmp_path):
    world = World(tmp_path, WithArtefacts)
    world.run()
    before = world.scores()
    store = Store(tmp_path / "store")
    for one in (world.items[2], world.items[18]):
        place = store._index(RECIPE.key)[one.image_id]
        path = store._folder(RECIPE.key) / f"{place.shard}.tar"
        data = bytearray(path.read_bytes())
        data[place.offset + place.length // 2] ^= 1
        path.write_bytes(data)
    (fit_folder(store, world.fit.key) / "fit.json").unlink()
    for path in (tmp_path / "results").rglob("*.parquet"):
        path.unlink()
    session = world.run()
    assert session.failed == {}
    assert session.meter.artefacts_made == 2, session.progress.said
    assert world.scores() == before
    assert sum("It is made again" in line for line in session.progress.said) == 2


def test_a_trial_is_not_begun_again_where_it_is_whole(tmp_path):
    world = World(tmp_path)
    world.run()
    store = Store(tmp_path / "store")
    plan = Plan({p.key: p for p in (world.train, world.val, world.test)}, (), (world.fit,), (world.cell,))
    methods = {("mean", ""): Chosen("mean", "", Mean(Params()))}
    found = cut_fits(plan, methods, store, Results(tmp_path / "results"), Rates(), lambda role: "")
    assert [unit for unit in found if isinstance(unit, Trial)] == []
