"""One image or chunk that fails costs itself: not its recipe, its fit or its cell."""

import numpy as np
import pytest

from bench import discover
from bench.artefacts.store import Store
from bench.planning.estimate import Rates
from bench.planning.request import Chosen
from bench.planning.units import Trial, cut_fits
from bench.results.folder import Results
from bench.training.fits import fit_folder, waiting
from bench.types import Cell, Fit, Plan, Slice
from tests.unit.execution.moody import RECIPE, STUMBLES, Mean, Moody, Params, WithArtefacts, World


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
    assert list(world.record()["waiting"]) == [bad[0].row_id]
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
    assert waiting(Store(tmp_path / "a" / "store"), world.fit) == {}
    last = world.run().meter
    assert (last.artefacts_made, last.fits_trained, last.forwards) == (0, 0, 0)


def test_a_fit_that_waits_is_trained_again_alone_with_all_its_scores(tmp_path):
    """The lost image is one of training: the cells are whole, and yet they belong to the fit that is replaced."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    world, calm = World(tmp_path / "a", WithArtefacts), World(tmp_path / "b", WithArtefacts)
    STUMBLES["engine", world.items[3].image_id] = FOREVER
    world.run()
    assert set(world.scores().status) == {"ok"}
    STUMBLES.clear()
    assert world.run().meter.fits_trained == 1
    calm.run()
    assert world.scores() == calm.scores()


def test_images_that_fail_again_do_not_fail_a_recipe_that_works(tmp_path):
    """Two chunks whose bad images alone are left: the rest of each is made, so the engine works."""
    world = World(tmp_path, WithArtefacts)
    for number in (2, 3, 20, 21):
        STUMBLES["engine", world.items[number].image_id] = FOREVER
    assert world.run().failed == {}
    again = world.run()
    assert (again.failed, again.meter.artefacts_made) == ({}, 0)


def test_many_damaged_artefacts_are_all_made_again(tmp_path):
    world = World(tmp_path, WithArtefacts)
    world.run()
    before, store = world.scores(), Store(tmp_path / "store")
    for path in store.folder(RECIPE.key).glob("shard-*.tar"):
        path.write_bytes(bytes(path.stat().st_size))
    (fit_folder(store, world.fit.key) / "fit.json").unlink()
    for path in (tmp_path / "results").rglob("*.parquet"):
        path.unlink()
    session = world.run()
    assert (session.failed, session.meter.artefacts_made) == ({}, 24)
    assert world.scores() == before


def test_a_file_that_is_away_is_looked_for_again(tmp_path):
    world = World(tmp_path)
    away = world.items[17].path
    away.rename(away.with_suffix(".gone"))
    world.run()
    assert sorted(world.scores().status) == ["failed", *["ok"] * 7]
    away.with_suffix(".gone").rename(away)
    world.run()
    assert set(world.scores().status) == {"ok"}


def test_without_a_validation_image_a_fit_that_chooses_by_them_fails(tmp_path):
    world = World(tmp_path)
    for one in world.val.items:
        STUMBLES["test", one.image_id] = FOREVER
    assert "No validation image is left" in world.run().failed[world.fit.key]


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
        place = store.index(RECIPE.key).find(one.image_id)
        path = store.folder(RECIPE.key) / f"{place.shard}.tar"
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
    assert sum("Making it again" in line for line in session.progress.said) == 2


def test_a_trial_is_not_begun_again_where_it_is_whole(tmp_path):
    world = World(tmp_path)
    world.run()
    store = Store(tmp_path / "store")
    plan = Plan({p.key: p for p in (world.train, world.val, world.test)}, (), (world.fit,), (world.cell,))
    methods = {("mean", ""): Chosen("mean", "", Mean(Params()))}
    found = cut_fits(plan, methods, store, Results(tmp_path / "results"), Rates(), lambda need: need)
    assert [unit for unit in found if isinstance(unit, Trial)] == []


def test_a_file_that_is_damaged_for_good_is_not_looked_for_again(tmp_path):
    """Unlike one that is away: nothing says that its bytes will change, and the cell is whole without it."""
    world = World(tmp_path)
    world.items[17].path.write_bytes(world.items[17].path.read_bytes()[:60])
    world.run()
    assert sorted(world.scores().status) == ["failed", *["ok"] * 7]
    assert world.run().meter.forwards == 0
