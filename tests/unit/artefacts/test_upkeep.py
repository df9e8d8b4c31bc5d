import json
import os
import tarfile
import time

import pytest

from bench.artefacts import upkeep
from bench.artefacts.store import DamagedArtefact, Store
from bench.errors import UserError
from bench.progress import Progress
from bench.recipe import SOURCE, Recipe
from tests.unit.artefacts.test_store import RECIPE, RECORDS, fill, flip, folder_of

CAPTION = Recipe("blip", 1, {"tokens": 20}, {"blip": "abc"}, inputs={"image": SOURCE})
GUIDED = Recipe("sd_img2img", 2, {"strength": 0.5}, {"sdv1": "def"}, 7, {"image": SOURCE, "caption": CAPTION})
VERSIONS = {"blip": 1, "sd_img2img": 2, "ddim_inversion": 1}


@pytest.mark.parametrize("recipe", [RECIPE, CAPTION, GUIDED], ids=lambda recipe: recipe.engine)
def test_a_recipe_is_read_back_from_its_description(recipe):
    read = Recipe.read(json.loads(json.dumps(recipe.describe())))
    assert (read, read.key) == (recipe, recipe.key)


def test_stats_count_each_artefact_once(tmp_path):
    store = Store(tmp_path)
    fill(store, RECORDS)
    fill(store, RECORDS)
    fill(store, dict.fromkeys(list(RECORDS)[:2], b"a"), GUIDED)
    entries = upkeep.stats(Store(tmp_path))
    assert [(e["engine"], e["artefacts"], e["shards"]) for e in entries] == [
        ("ddim_inversion", 9, 2),
        ("sd_img2img", 2, 1),
    ]
    assert entries[0]["bytes"] == sum(path.stat().st_size for path in folder_of(store).iterdir())


def test_a_flipped_bit_is_found_and_mended(tmp_path):
    fill(Store(tmp_path), RECORDS)
    names = sorted(RECORDS)
    for name in (names[2], names[7]):
        flip(Store(tmp_path), name)
    found = upkeep.verify(Store(tmp_path), Progress())
    assert [names[2] in found[0], names[7] in found[1], len(found)] == [True, True, 2]
    assert Store(tmp_path).missing(RECIPE, names) == []
    assert upkeep.verify(Store(tmp_path), Progress(), mend=True) == found
    assert Store(tmp_path).missing(RECIPE, names) == [names[2], names[7]]
    assert upkeep.verify(Store(tmp_path), Progress()) == []


def test_a_shard_that_is_gone_is_found(tmp_path):
    fill(Store(tmp_path), RECORDS)
    (shard,) = folder_of(Store(tmp_path)).glob("shard-*.tar")
    shard.unlink()
    assert len(upkeep.verify(Store(tmp_path), Progress())) == len(RECORDS)


def age(path):
    before = time.time() - 2 * upkeep.STALE_SECONDS
    os.utime(path, (before, before))


def test_what_nothing_reads_is_listed_and_deleted_and_nothing_else(tmp_path):
    store = Store(tmp_path)
    for recipe in (RECIPE, CAPTION, GUIDED):
        fill(store, RECORDS, recipe)
    assert upkeep.leftovers(store, VERSIONS) == []
    for name in ("recipe.1.part", "shard-1.tar.part", "shard-2.tar.part", "shard-2.idx.part", "fresh.part"):
        (folder_of(store) / name).write_bytes(b"abc")
        if name != "fresh.part":
            age(folder_of(store) / name)
    fit = tmp_path / "fits" / "key"
    fit.mkdir(parents=True)
    for name in ("fit.json", "state.pt", "model.safetensors"):
        (fit / name).write_bytes(b"abc")
    unfinished = tmp_path / "fits" / "other"
    unfinished.mkdir()
    (unfinished / "state.pt").write_bytes(b"abc")
    found = upkeep.leftovers(store, VERSIONS)
    assert [sorted(path.name for path in leftover.paths) for leftover in found] == [
        ["recipe.1.part", "shard-1.tar.part"],
        ["state.pt"],
    ]
    found = upkeep.leftovers(store, {**VERSIONS, "blip": 2})
    assert [leftover.paths[0].name for leftover in found[:2]] == sorted([CAPTION.key, GUIDED.key])
    assert "made by version 1, the present one is 2" in found[0].reason
    upkeep.delete(found)
    assert sorted(upkeep.recipes(store)) == [RECIPE.key]
    assert sorted(path.name for path in fit.iterdir()) == ["fit.json", "model.safetensors"]
    assert (unfinished / "state.pt").exists()
    assert (folder_of(store) / "fresh.part").exists()
    assert {name: Store(tmp_path).get(RECIPE, name) for name in RECORDS} == RECORDS


def test_an_export_is_a_web_dataset_and_another_store_takes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "_CHUNK", 2)
    store, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    fill(store, RECORDS, GUIDED)
    fill(other, {name: RECORDS[name] for name in list(RECORDS)[:4]}, GUIDED)
    assert upkeep.export(store, GUIDED, tmp_path / "out", Progress()) == 9
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "checksums.txt",
        "recipe.json",
        "sd_img2img-00000.tar",
    ]
    with tarfile.open(tmp_path / "out" / "sd_img2img-00000.tar") as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar} == {f"{n}.png": data for n, data in RECORDS.items()}
    assert upkeep.import_(other, tmp_path / "out", Progress()) == (GUIDED, 5)
    assert upkeep.import_(other, tmp_path / "out", Progress()) == (GUIDED, 0)
    assert {name: Store(other.root).read(GUIDED, name) for name in RECORDS} == {
        n: ("png", data) for n, data in RECORDS.items()
    }


def test_what_is_no_export_or_a_damaged_one_is_told(tmp_path):
    store = Store(tmp_path / "store")
    with pytest.raises(UserError, match="is not an export"):
        upkeep.import_(store, tmp_path, Progress())
    fill(store, RECORDS)
    upkeep.export(store, RECIPE, tmp_path / "out", Progress())
    shard = tmp_path / "out" / "ddim_inversion-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(UserError, match="is damaged"):
        upkeep.import_(Store(tmp_path / "new"), tmp_path / "out", Progress())
    shard.unlink()
    with pytest.raises(UserError, match="is missing"):
        upkeep.import_(Store(tmp_path / "new"), tmp_path / "out", Progress())


def test_a_damaged_artefact_ends_an_export_that_can_be_begun_again(tmp_path):
    fill(Store(tmp_path / "store"), RECORDS)
    flip(Store(tmp_path / "store"), sorted(RECORDS)[3])
    with pytest.raises(DamagedArtefact):
        upkeep.export(Store(tmp_path / "store"), RECIPE, tmp_path / "out", Progress())
    assert list((tmp_path / "out").iterdir()) == []
    assert upkeep.export(Store(tmp_path / "store"), RECIPE, tmp_path / "out", Progress()) == len(RECORDS) - 1


def test_a_recipe_is_named_by_the_beginning_of_its_key(tmp_path):
    fill(Store(tmp_path), RECORDS)
    assert upkeep.find(Store(tmp_path), RECIPE.key[:6]) == RECIPE
    with pytest.raises(UserError, match="0 recipes have a key"):
        upkeep.find(Store(tmp_path), "zz")
