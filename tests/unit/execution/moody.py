"""A small world for tests of the runner: an engine and a detector that stumble over the images they are told to."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from torch import nn

from bench.artefacts.engine import Engine
from bench.artefacts.store import Store
from bench.data.decode import image_id
from bench.detector import Card, Detector, Schedule
from bench.execution.session import Session
from bench.execution.unit_runner import UnitRunner
from bench.numerics import REFERENCE
from bench.planning.estimate import Rates
from bench.planning.request import Chosen
from bench.planning.units import cut_fits, cut_jobs
from bench.progress import Progress
from bench.recipe import SOURCE, Recipe
from bench.results.folder import Results
from bench.training.fits import fit_folder
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


class Recorder(Progress):
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
        zoo = SimpleNamespace(resolve=lambda need: need, numerics=REFERENCE, folder=lambda role: None)
        session = Session(store, zoo, Results(self.root / "results"), "cpu", 0, Recorder())
        methods = {("mean", ""): Chosen("mean", "", self.method(Params()))}
        runner = UnitRunner(plan, methods, session)
        trials = cut_fits(plan, methods, store, session.results, Rates(), lambda need: need)
        for unit in [*cut_jobs(plan, store, Rates()), *trials]:
            runner.run(unit)
        runner.close()
        return session

    def scores(self):
        return Results(self.root / "results").read_scores(f"scores/mean/{self.fit.key}/{self.cell.name}.parquet")

    def record(self):
        return json.loads((fit_folder(Store(self.root / "store"), self.fit.key) / "fit.json").read_text())
