"""One process: what fails costs its own recipe, and leaves the next chunk an engine and a shard of its own."""

import pytest
from PIL import Image

from bench import discover
from bench.artefacts.engine import Engine
from bench.artefacts.store import Store, Writer
from bench.data.decode import image_id
from bench.execution import locks
from bench.execution.session import Session
from bench.execution.unit_runner import UnitRunner
from bench.planning.chunks import chunks
from bench.planning.estimate import Rates
from bench.planning.units import cut_jobs
from bench.progress import Progress
from bench.recipe import SOURCE, Recipe, content_key
from bench.results.folder import Results
from bench.types import Job, Plan, Slice
from tests.conftest import item, picture


class Invert(Engine):
    name, version, payload, batch, seconds = "invert", 1, "png", 4, 0.0
    loaded = 0

    def forwards(self, recipe):
        return 1

    def load(self, recipe, zoo, device, meter):
        if recipe.params.get("broken"):
            raise ValueError("no such weights")
        Invert.loaded += 1

    def view(self, request):
        return request.rgb

    def run(self, requests, views):
        return [255 - view for view in views]


def recipe(**params):
    return Recipe("invert", 1, params, inputs={"image": SOURCE})


@pytest.fixture
def part(tmp_path):
    items = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        Image.fromarray(picture(number, 32, 32)).save(path)
        items.append(item(number, number % 2, 32, 32, path=path, image_id=image_id(picture(number, 32, 32))))
    return Slice("genimage", "sdv14", "test", tuple(items))


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.setattr(discover, "engine", lambda name: Invert)
    monkeypatch.setattr(Invert, "loaded", 0)

    def make(*recipes, part):
        store = Store(tmp_path / "store")
        plan = Plan({}, tuple(Job(recipe, part) for recipe in recipes), (), ())
        session = Session(store, None, Results(tmp_path / "results"), "cpu", 0, Progress())
        return UnitRunner(plan, {}, session), cut_jobs(plan, store, Rates())

    return make


def test_an_engine_that_cannot_be_loaded_fails_its_recipe_alone(runner, part, tmp_path):
    first, broken, last = recipe(), recipe(broken=True), recipe(other=1)
    worker, units = runner(first, broken, last, part=part)
    for unit in units:
        worker.run(unit)
    worker.close()
    assert set(worker.session.failed) == {broken.key}
    assert "no such weights" in worker.session.failed[broken.key]
    store = Store(tmp_path / "store")
    missing = [len(store.missing(one, [i.image_id for i in part.items])) for one in (first, broken, last)]
    assert missing == [0, 6, 0]
    assert (Invert.loaded, worker.session.meter.artefacts_made) == (2, 12)


def test_recipes_that_differ_in_their_inputs_share_an_engine(runner, part):
    one = recipe()
    other = Recipe("invert", 1, {}, inputs={"image": one})
    worker, units = runner(one, other, part=part)
    for unit in units:
        worker.run(unit)
    worker.close()
    assert (worker.session.failed, Invert.loaded) == ({}, 1)


def test_a_shard_that_cannot_be_written_fails_its_recipe_alone(runner, part, tmp_path, monkeypatch):
    worker, units = runner(recipe(), recipe(other=1), part=part)
    put = Writer.put

    def full(self, records):
        monkeypatch.setattr(Writer, "put", put)
        self._tar = (self._folder / f"{self._stem}.tar.part").open("wb")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Writer, "put", full)
    for unit in units:
        worker.run(unit)
    worker.close()
    assert set(worker.session.failed) == {recipe().key}
    assert not list((tmp_path / "store").rglob("*.part"))


def test_what_is_there_is_not_written_again(runner, part, tmp_path):
    small = Slice("genimage", "sdv14", "train", part.items[:2])
    for chosen, made in ((small, 2), (part, 4), (part, 0)):
        worker, units = runner(recipe(), part=chosen)
        for unit in units:
            worker.run(unit)
        worker.close()
        assert worker.session.meter.artefacts_made == made


def test_what_another_run_is_busy_with_is_not_made_again(runner, part, monkeypatch):
    first, units = runner(recipe(), part=part)
    second, same = runner(recipe(), part=part)
    done, run = [], Invert.run

    def meanwhile(self, requests, views):
        if not done:
            done.append(second.run(same[0]))
        return run(self, requests, views)

    monkeypatch.setattr(Invert, "run", meanwhile)
    assert first.run(units[0])
    assert (done, second.session.meter.artefacts_made) == ([False], 0)
    assert second.run(same[0], wait=True)
    assert (second.session.meter.artefacts_made, second.session.failed) == (0, {})
    first.close()
    second.close()


def test_a_chunk_is_waited_for_while_it_is_locked_and_made_once_it_is_free(runner, part, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_RETRY_SECONDS", 0.0)
    notes = []
    monkeypatch.setattr(Progress, "note", lambda self, message: notes.append(message))
    worker, (unit,) = runner(recipe(), part=part)
    store = Store(tmp_path / "store")
    name = content_key([i.image_id for i in chunks(Job(recipe(), part))[0]])
    with locks.Locks(print).acquire(store.lock_path(recipe(), name), "another's"):
        assert [worker.run(unit), worker.run(unit, wait=True), worker.run(unit, wait=True)] == [False] * 3
        assert worker.session.meter.artefacts_made == 0
    assert notes == ["waiting for another run on this store: invert artefacts, raw"]
    assert worker.run(unit, wait=True)
    assert worker.session.meter.artefacts_made == 6
    assert not list((tmp_path / "store").rglob("*.lock"))
    worker.close()


def test_what_another_run_has_made_since_the_plan_is_not_made_again(runner, part):
    first, units = runner(recipe(), part=part)
    second, same = runner(recipe(), part=part)
    for unit in units:
        first.run(unit)
    loaded = Invert.loaded
    for unit in same:  # The first run's shard is still open.
        second.run(unit)
    assert (second.session.meter.artefacts_made, second.session.costs, Invert.loaded) == (0, [], loaded)
    first.close()
    second.close()
