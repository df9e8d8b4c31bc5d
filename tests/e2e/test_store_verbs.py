"""The artefact store as a user looks after it, and artefacts of other numerics beside the reference's."""

import json
import shutil

import pytest
from PIL import Image

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


def test_reconstructions_made_elsewhere_are_adopted_and_marked(world, first, tmp_path):
    """Ready-made reconstructions of DIRE stand in for the engine's, and every place says that nobody verified them."""
    home = world.data / "stable_diffusion_v_1_4"
    made, foreign = tmp_path / "made", 0
    for original in sorted(path for path in home.rglob("*") if path.is_file()):
        place = made / original.relative_to(home).with_suffix(".png")
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(original) as image:
            image.convert("RGB").resize((32, 32)).save(place)
        foreign += 1
    Image.new("RGB", (30, 32)).save(place)  # Of a wrong size.
    (made / "stranger.png").write_bytes(place.read_bytes())
    (made / "notes.txt").write_text("how they were made")
    words = ("--method", "dire", "--originals", home, "--suite", world.suite, "--device", "cpu")
    adopt = ("store", "adopt", made, *words, "--store", tmp_path / "store")
    done = bench(*adopt, "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["added"], told["present"], len(told["left_out"])) == (foreign - 1, 0, 3)
    assert "30 x 32 pixels, and the recipe gives this image 32 x 32" in told["left_out"][str(place)]
    again = json.loads(bench(*adopt, "--json").stdout)
    assert (again["added"], again["present"]) == (0, foreign - 1)
    assert f"{foreign - 1} were there; unverified" in bench(*adopt).stdout
    (entry,) = json.loads(bench("store", "stats", "--store", tmp_path / "store", "--json").stdout)
    assert (entry["recipe"], entry["unverified"]) == (told["recipe"], foreign - 1)
    key, copy = told["recipe"], tmp_path / "copy"
    bench("store", "export", key, tmp_path / "export", "--store", tmp_path / "store")
    for _ in range(2):  # The second time, nothing is new.
        assert bench("store", "import", tmp_path / "export", "--store", copy).returncode == 0
        (entry,) = json.loads(bench("store", "stats", "--store", copy, "--json").stdout)
        assert (entry["artefacts"], entry["unverified"]) == (foreign - 1, foreign - 1)

    options = ("--methods", "dire", "--protocols", "raw", "--test", "genimage:sdv14", "--suite", world.suite)
    places = ("--data", world.data, "--store", tmp_path / "store", "--results", tmp_path / "results", "--device", "cpu")
    run = bench("run", *options, *places)
    assert run.returncode == 0, run.stderr
    assert f"{foreign - 1} ddim_inversion artefacts come from elsewhere: unverified" in run.stderr
    document = json.loads((tmp_path / "results" / "run.json").read_text())
    assert document["unverified"] == {told["recipe"]: foreign - 1}
    assert document["artefacts_made"] == 1


def test_what_cannot_be_adopted_is_told(world, tmp_path):
    (tmp_path / "empty").mkdir()
    home, base = world.data, ("store", "adopt", tmp_path / "empty", "--suite", world.suite, "--store", tmp_path / "s")
    for words, told in (
        (("--method", "gramnet", "--originals", home), "uses no artefacts of images"),
        (("--method", "dire", "--artefact", "caption", "--originals", home), "no artefact of images that"),
        (("--method", "dire,gramnet", "--originals", home), "adopt takes one method"),
        (("--method", "dire", "--originals", home / "nothing"), "is not a folder"),
        (("--method", "dire", "--originals", home), "belongs to an image"),
    ):
        done = bench(*base, *words)
        assert done.returncode == 2
        assert told in done.stderr
