"""Images that a table lists are those of the folders that they lie in: the same cells, the same scores."""

import json
from pathlib import Path

import pandas as pd
from datasets import Dataset, Features, Image, Value

from tests.e2e.conftest import bench


def scores(results):
    """Logits by dataset, subset and image, without names."""
    found = {}
    for path in sorted((results / "scores" / "bytes_per_pixel").glob("*/*-test@raw.parquet")):
        table = pd.read_parquet(path)
        found[path.stem.split("-", 1)[1]] = dict(zip(table["image_id"], table["logit"], strict=True))
    return found


def listing(world):
    """The rows of a generator: absolute paths, labels, splits."""
    homes = sorted(world.data.rglob("train/*")) + sorted(world.data.rglob("val/*"))
    kinds = {"ai": "fake", "nature": "real"}
    rows = [
        (str(path), kinds[home.name], "sdv14", home.parent.name)
        for home in homes
        if "stable_diffusion_v_1_4" in str(home) or "sdv4" in str(home) or "sdv14" in str(home)
        for path in sorted(home.iterdir())
    ]
    return pd.DataFrame(rows, columns=["path", "label", "generator", "split"])


def test_a_file_and_a_copy_of_the_hub_give_the_scores_of_the_folder(world, tmp_path):
    rows = listing(world)
    rows.rename(columns={"path": "where"}).to_csv(tmp_path / "list.csv", index=False)
    features = Features({"image": Image(), **{name: Value("string") for name in ("label", "generator", "split")}})
    images = [{"bytes": Path(path).read_bytes(), "path": None} for path in rows["path"]]
    columns = {"image": images, **{name: rows[name].tolist() for name in ("label", "generator", "split")}}
    (tmp_path / "copy").mkdir()
    Dataset.from_dict(columns, features).to_parquet(str(tmp_path / "copy" / "data.parquet"))
    common = ("--suite", world.suite, "--methods", "bytes_per_pixel", "--protocols", "raw", "--device", "cpu")
    common += ("--store", tmp_path / "store", "--no-figures", "--no-probes")
    found = {}
    for name, words in (
        ("folder", ("--data", world.data, "--test", "genimage:sdv14")),
        ("file", ("--data", tmp_path / "list.csv", "--columns", "image=where")),
        ("hub", ("--data", f"hf:{tmp_path / 'copy'}", "--columns", "split=split")),
    ):
        done = bench("run", *common, *words, "--results", tmp_path / name)
        assert done.returncode == 0, done.stderr
        found[name] = scores(tmp_path / name)
        # Copies of images are embedded in the page only if they are the miniature's.
        assert "data:image/webp" not in (tmp_path / name / "report" / "index.html").read_text()
    assert found["file"].keys() == found["folder"].keys() == {"sdv14-test@raw"}
    assert found["file"] == found["folder"]
    again = bench("run", *common, *words, "--results", tmp_path / "hub", "--json")
    told = json.loads(again.stdout)
    assert "rows of" not in again.stderr
    assert "columns image=image" in again.stderr  # It is not read again, and what it is taken for is said again.
    assert found["hub"].keys() == found["file"].keys()
    assert told["fits_trained"] == 0


def test_columns_belong_to_tables(world, tmp_path):
    done = bench("plan", "--data", world.data, "--columns", "label=x", "--suite", world.suite)
    assert done.returncode == 2
    assert "--columns says how a table of images is read" in done.stderr


def test_a_table_without_training_images_says_so(world, tmp_path):
    (tmp_path / "list.csv").write_text("path,label\na.jpg,real\nb.png,fake\n")
    (tmp_path / "a.jpg").touch()
    done = bench("plan", "--data", tmp_path / "list.csv", "--methods", "container", "--store", tmp_path / "store")
    assert done.returncode == 2
    assert "has no images to train on" in done.stderr


def test_check_shows_what_a_table_has(world, tmp_path):
    listing(world).to_csv(tmp_path / "list.csv", index=False)
    done = bench("check", "--data", tmp_path / "list.csv", "--store", tmp_path / "store", "--json")
    lines = {line["thing"]: line["state"] for line in json.loads(done.stdout)}
    assert "sdv14 (" in lines["data genimage"]
