"""What a reader of the results needs to find an image again, and names that are no text."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from bench.results import images
from bench.results.folder import Results
from tests.conftest import ROOT, make_genimage, picture
from tests.e2e.conftest import bench


def test_a_row_is_found_again_by_its_path_and_a_decision_by_its_threshold(world, first):
    results = Results(world.root / "a" / "results")
    found = images.read(results)
    home = world.data / "genimage" if (world.data / "genimage").is_dir() else world.data
    assert len(found["path"]) > 40
    for path, size, role in zip(found["path"], found["bytes"], found["role"], strict=True):
        assert (home / path).stat().st_size == size
        assert ("/train/" in path) == (role in ("train", "val"))
    entry = next(e for e in results.read_matrix().entries if e.scores and e.role == "test")
    names = ("dataset", "subset", "role", "row_id")
    listed = set(zip(*(found[name] for name in names), strict=True))
    rows = results.read_scores(entry.scores).row_id
    assert {(entry.dataset, entry.subset, entry.role, row) for row in rows} <= listed
    cuts = list(csv.DictReader(results.thresholds.open()))
    assert {line["fit"] for line in cuts} == {e.fit for e in results.read_matrix().entries if e.status == "ok"}


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_a_path_that_is_no_text_is_printed_and_scored(world, first, tmp_path, encoding):
    image = next((world.data / "BigGAN" / "imagenet_ai_0419_biggan" / "val" / "ai").iterdir())
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    odd.write_bytes(image.read_bytes())
    options = ("--suite", world.suite, "--store", world.root / "a" / "store", "--protocol", "raw")
    command = [sys.executable, "run_bench.py", "score", "gramnet", odd, *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": encoding}
    )
    assert done.returncode == 0, done.stderr
    assert b"caf\\xe9.png" in done.stdout
    told = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, check=False)
    assert json.loads(told.stdout)[0]["path"] == str(odd)


def test_what_pillow_warns_of_is_said_once_with_the_files_name(tmp_path):
    """A TIFF whose metadata is cut short makes Pillow warn; a run over its folder names the file, once."""
    make_genimage(tmp_path / "data", count=3)
    home = tmp_path / "data" / "stable_diffusion_v_1_4" / "imagenet_ai_0419_sdv4" / "val" / "ai"
    buffer = io.BytesIO()
    Image.fromarray(picture(1, 40, 40)).save(buffer, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0junk")
    (home / "odd.jpg").write_bytes(buffer.getvalue())
    options = ("--data", tmp_path / "data", "--store", tmp_path / "store", "--results", tmp_path / "results")
    done = bench("run", "--methods", "image_size", "--protocols", "raw", *options)
    assert done.returncode == 0, done.stderr
    named = [line for line in done.stderr.splitlines() if "UserWarning" in line or "odd.jpg" in line]
    assert len(named) == 1
    assert all("odd.jpg" in line and "EXIF" in line for line in named)
