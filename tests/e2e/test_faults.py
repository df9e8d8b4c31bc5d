"""Kills, broken images, wrong words: nothing already computed is lost, and a person is told what to do."""

import json
import random

import pytest

from tests.conftest import make_genimage
from tests.e2e.conftest import Call, World, bench


def files(folder):
    """How many files a folder holds, at any depth."""
    return sum(path.is_file() for path in folder.rglob("*"))


def test_ten_kills_at_random_moments_change_nothing(world, first):
    """SIGKILL ten times, each soon after something new was written; then the run ends with the same bytes."""
    draw, kills, store = random.Random(20), 0, world.root / "killed" / "store"
    words = ("run", *world.options("killed"))
    while kills < 10:
        run, before = Call(*words), files(store)
        while run.poll(0.01) is None and files(store) <= before:
            pass
        if run.poll(draw.uniform(0.0, 0.3)) is not None:
            break  # It came to its end before the next kill: there is nothing left to disturb.
        run.kill()
        run.finish()
        kills += 1
    assert kills >= 2
    done = world.run(name="killed")
    assert done.returncode == 0, done.stderr
    assert world.rows("killed") == world.rows("a")


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A world with unreadable images in training and testing, and an image that stands in both."""
    world = World(tmp_path_factory.mktemp("damaged"))
    home = world.data / "stable_diffusion_v_1_4" / "imagenet_ai_0419_sdv4"
    (home / "train" / "ai" / "033_sdv4_00134.png").write_bytes(b"")
    (home / "val" / "ai" / "truncated.png").write_bytes(next((home / "val" / "ai").glob("0*.png")).read_bytes()[:300])
    (home / "val" / "nature" / "notes.txt").write_text("no image")
    (home / "train" / "ai" / "duplicate.PNG").write_bytes(next((home / "val" / "ai").glob("0*.png")).read_bytes())
    return world


def test_bad_images_are_quarantined_with_reason_and_counted(damaged):
    done = damaged.run("--methods", "dire,container", "--protocols", "raw")
    assert done.returncode == 0, done.stderr
    assert "033_sdv4_00134.png" in done.stderr
    assert "also in genimage-sdv14-test" in done.stderr
    text = damaged.rows().decode().splitlines()
    header = text[0].split(",")
    lines = [dict(zip(header, line.split(","), strict=False)) for line in text[1:]]
    single = [line for line in lines if line["subset"] == "sdv14"]
    assert {(s["n_real"], s["n_fake"], s["n_listed"], s["n_failed"]) for s in single} == {("12", "12", "25", "1")}
    slices = json.loads((damaged.root / "a" / "results" / "run.json").read_text())["slices"]
    quarantined = {name: part["quarantined"] for name, part in slices.items()}
    assert quarantined["genimage-sdv14-test@raw"] == 1
    assert quarantined["genimage-sdv14-train@raw"] + quarantined["genimage-sdv14-val@raw"] == 2


def test_a_failing_cell_is_a_hole_with_its_reason_and_exit_code_one(world, tmp_path):
    suite = tmp_path / "diverging.toml"
    suite.write_text(world.suite.read_text().replace("lr = 1e-3", "lr = 1e30"))
    options = list(world.options("diverging"))
    options[1] = suite
    done = bench("run", "--methods", "gramnet,container", "--protocols", "raw", *options)
    assert done.returncode == 1, done.stdout
    assert "scores is finite" in done.stderr
    assert "Traceback" not in done.stderr
    rows = (world.root / "diverging" / "results" / "rows.csv").read_text()
    assert "scores is finite" in rows
    assert "no average without biggan, sdv14" in rows
    assert ",container," in rows


WRONG = [
    (("--methods", "grammnet"), "Did you mean 'gramnet'?"),
    (("--methods", "dire[amd]"), "no variant of dire"),
    (("--train", "biggen"), "Did you mean 'biggan'?"),
    (("--test", "genimage:bigan"), "Did you mean 'biggan'?"),
    (("--test", "forensynth"), "forensynth"),
    (("--protocols", "alinged"), "Did you mean 'aligned'?"),
    (("--suite", "miny"), "Did you mean 'mini'?"),
    (("--data", "no/such/folder"), "is not a folder"),
    (("--store", "README.md"), "is not writable"),
    (("--results", "README.md/here"), "is not writable"),
    (("--protocols", ""), "--protocols is empty"),
    (("--seeds", "99999999999999999999"), "too large"),
    (("--models", "no/such/folder"), "neither mini, hub nor a folder"),
    (("--device", "gpu"), "no device 'gpu'"),
    (("--seeds", "one"), "not a list of seeds"),
    (("--limit-test", "1"), "too small"),
    (("--metods", "dire"), "--methods"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_word_is_one_message_and_exit_code_two(words, told, tmp_path):
    done = bench("--store", tmp_path, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_own_images_have_no_class_to_prompt_with(world, tmp_path):
    image = next((world.data / "BigGAN" / "imagenet_ai_0419_biggan" / "val" / "ai").iterdir())
    done = bench("score", "lare2[oracle]", image, "--store", tmp_path)
    assert done.returncode == 2
    assert "--artefact caption=FILE.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_subset_that_the_data_lacks_is_told_with_those_it_has(world):
    done = world.run("--train", "adm", name="none")
    assert done.returncode == 2
    assert "genimage:adm is not in the data" in done.stderr
    assert "Present: biggan, sdv14." in done.stderr


def test_an_empty_class_is_refused_before_anything_is_computed(tmp_path):
    world = World(tmp_path)
    for path in (world.data / "BigGAN" / "imagenet_ai_0419_biggan" / "val" / "ai").iterdir():
        path.unlink()
    done = world.run("--methods", "container", "--test", "genimage:biggan")
    assert done.returncode == 2
    assert "genimage:biggan has no fake images" in done.stderr
    assert not (tmp_path / "a").exists()


def lines_of(world, name="a"):
    text = world.rows(name).decode().splitlines()
    return [dict(zip(text[0].split(","), line.split(","), strict=False)) for line in text[1:]]


def test_a_class_missing_in_one_subset_is_that_subsets_hole(tmp_path):
    world = World(tmp_path)
    for path in (world.data / "BigGAN" / "imagenet_ai_0419_biggan" / "val" / "ai").iterdir():
        path.unlink()
    done = world.run("--methods", "container", "--protocols", "raw")
    assert done.returncode == 0, done.stderr
    aucs = {line["subset"]: line for line in lines_of(world) if line["metric"] == "auc"}
    assert aucs["sdv14"]["value"]
    assert aucs["biggan"]["status"] == "missing"
    assert "no readable fake image" in aucs["biggan"]["reason"]
    assert aucs["mean:all"]["status"] == "blocked"


def test_own_generators_linked_folders_and_stray_files_are_used_or_named(tmp_path):
    world = World(tmp_path)
    make_genimage(world.data, "flux_dev", "", count=6, seed=90_000)
    (world.data / "my_scraps").mkdir()
    home = world.data / "flux_dev" / "val" / "ai"
    home.rename(tmp_path / "elsewhere")
    home.symlink_to(tmp_path / "elsewhere")
    photograph = next((world.data / "flux_dev" / "val" / "nature").iterdir())
    (home / "also_real.JPEG").write_bytes(photograph.read_bytes())
    (home / "notes.txt").write_text("no image")
    (home / "gone.png").symlink_to("nowhere.png")
    done = world.run("--methods", "image_size", "--protocols", "raw", "--test", "genimage:sdv14,flux_dev")
    assert done.returncode == 0, done.stderr
    assert f"not used: {world.data / 'my_scraps'}" in done.stderr
    assert "passed over in genimage-flux_dev-test: 1 .txt file" in done.stderr
    assert "listed as real" in done.stderr
    (flux,) = (line for line in lines_of(world) if line["metric"] == "auc" and line["subset"] == "flux_dev")
    counts = [flux[name] for name in ("relation", "n_real", "n_fake", "n_listed", "n_failed")]
    assert counts == ["out", "5", "6", "14", "3"]  # The photograph with two labels twice, and the dangling link.
    run = json.loads((world.root / "a" / "results" / "run.json").read_text())
    assert run["passed_over"] == {"genimage-flux_dev-test": {".txt file": 1}}
    told = bench("check", "--data", world.data, "--store", tmp_path / "store").stdout
    assert "flux_dev" in told
    assert "my_scraps" in told


def test_a_folder_in_another_layout_is_told_the_layout(tmp_path):
    (tmp_path / "photos").mkdir()
    done = bench("--data", tmp_path, "--store", tmp_path / "store")
    assert done.returncode == 2
    assert "It contains: photos" in done.stderr
    assert "{train,val}/{ai,nature}" in done.stderr


def test_a_section_of_a_method_that_does_not_exist_is_told(tmp_path):
    suite = tmp_path / "typo.toml"
    suite.write_text('extends = "mini"\nname = "typo"\n[methods.safee]\nepochs = 1\n')
    done = bench("plan", "--suite", suite, "--methods", "safe")
    assert done.returncode == 2
    assert "Did you mean 'safe'? Change the section in" in done.stderr


def test_a_detector_without_training_is_told_how_it_does_without_training_images(tmp_path):
    for kind in ("real", "fake"):
        (tmp_path / "own" / kind).mkdir(parents=True)
    done = bench("plan", "--methods", "aeroblade", "--data", tmp_path / "own")
    assert done.returncode == 2
    assert "--checkpoint aeroblade=none" in done.stderr
    both = bench("plan", "--methods", "aeroblade,safe", "--data", tmp_path / "own")
    assert "--checkpoint" not in both.stderr


def test_weights_that_are_not_there_are_named_with_the_way_to_get_them(world, tmp_path):
    done = bench("--methods", "dire", "--models", tmp_path, *world.options("none"))
    assert done.returncode == 2
    assert "weights of sdv1" in done.stderr
    assert "CompVis/stable-diffusion-v1-4" in done.stderr


def test_a_data_set_of_the_suite_that_is_not_in_the_data_is_left_out_with_a_warning(world, tmp_path):
    options = ("--data", world.data, "--store", tmp_path / "store", "--results", tmp_path / "results")
    done = bench("plan", "--methods", "container", "--json", *options)
    assert done.returncode == 0, done.stderr
    assert "left out" in done.stderr
    assert "ForenSynths" in done.stderr
    asked = bench("plan", "--methods", "container", "--test", "forensynths", *options)
    assert asked.returncode == 2
    assert "'forensynths'" in asked.stderr


def test_the_papers_sizes_are_planned_with_the_real_models_named(world, tmp_path):
    """Without the Hub the plan ends in one message that names the first missing model and how to get it."""
    options = ("--data", world.data, "--store", tmp_path / "store", "--results", tmp_path / "results")
    done = bench("plan", "--suite", "paper", "--methods", "dire", "--models", tmp_path, *options)
    assert done.returncode == 2
    assert "--models" in done.stderr
    free = bench("plan", "--suite", "paper", "--methods", "container", "--test", "genimage", "--json", *options)
    assert free.returncode == 0, free.stderr
    assert json.loads(free.stdout)["cells"]
