"""The artefact store as a user looks after it, and artefacts of other numerics beside the reference's."""

import json
import shutil

import pytest

from tests.e2e.conftest import bench, counts


@pytest.fixture(scope="module")
def store(world, first, tmp_path_factory):
    """A copy of the store of the main job."""
    return shutil.copytree(world.root / "a" / "store", tmp_path_factory.mktemp("kept") / "store")


def told(*words):
    done = bench("store", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_stats_verify_and_gc_print_what_is_there(store):
    entries = json.loads(told("stats", "--store", store, "--json"))
    assert {entry["engine"] for entry in entries} >= {"ddim_inversion", "aligned"}
    text = told("stats", "--store", store)
    assert f"{len(entries)} recipes, {sum(entry['artefacts'] for entry in entries)} artefacts" in text
    assert "0 damaged artefacts" in told("verify", "--store", store)
    assert "0 B to delete" in told("gc", "--store", store)


def test_a_flipped_bit_is_found_and_the_next_run_mends_it(world, store, tmp_path):
    copy = shutil.copytree(store, tmp_path / "store")
    shard = max((copy / "artefacts").glob("*/shard-*.tar"), key=lambda path: path.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[512 + 40] ^= 1
    shard.write_bytes(data)
    done = bench("store", "verify", "--store", copy)
    assert done.returncode == 1
    assert "1 damaged artefacts: add --mend" in done.stdout
    assert "dropped" in told("verify", "--store", copy, "--mend")
    again = bench("prepare", *world.options("mended"), "--store", copy, "--json")
    assert json.loads(again.stdout)["artefacts_made"] == 1
    assert "0 damaged artefacts" in told("verify", "--store", copy)


def test_exported_artefacts_serve_another_store(world, store, tmp_path):
    entries = json.loads(told("stats", "--store", store, "--json"))
    for entry in entries:
        folder = tmp_path / entry["recipe"]
        assert f"{entry['artefacts']} {entry['engine']} artefacts" in told(
            "export", entry["recipe"][:10], folder, "--store", store
        )
        assert "added" in told("import", folder, "--store", tmp_path / "new")
    done = bench("prepare", *world.options("imported"), "--store", tmp_path / "new", "--json")
    assert json.loads(done.stdout)["artefacts_made"] == 0
    assert bench("store", "export", "zz", tmp_path / "zz", "--store", store).returncode == 2
    assert bench("store", "stats", "--store", tmp_path / "nowhere").returncode == 2


def test_half_precision_has_artefacts_and_fits_of_its_own(world, first):
    before = world.rows()
    words = ("--methods", "dire", "--protocols", "raw", "--precision", "bf16")
    options = (*world.options("a", world.root / "bf16" / "results"),)
    done = bench("run", *words, *options)
    assert done.returncode == 0, done.stderr
    world_counts = json.loads((world.root / "bf16" / "results" / "run.json").read_text())
    assert [world_counts["fits_trained"], world_counts["environment"]["precision"]] == [1, "bf16"]
    assert world_counts["artefacts_made"] > 0
    assert world.run().returncode == 0
    assert counts(world) == [0, 0, 0]
    assert world.rows() == before
