"""Small data in the formats of the real one, made on the spot."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.recipe import content_key
from bench.types import Item

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also tests/slow, and tests that are marked slow")


def pytest_ignore_collect(collection_path, config):
    """Whether a file is left out; None lets pytest decide."""
    slow = ROOT / "tests" / "slow"
    return True if slow in (collection_path, *collection_path.parents) and not config.getoption("--slow") else None


def pytest_collection_modifyitems(config, items):
    """Without ``--slow``, leave out the tests that are marked slow; ``make test-slow`` runs them."""
    slow = [] if config.getoption("--slow") else [test for test in items if test.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [test for test in items if test not in set(slow)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With several processes (``-n``), tests that share something costly stay in one."""
    from tests.scheduling import InGroups

    return InGroups(config, log)


def figures_of(benchmark, folder, *words):
    """The figures that a benchmark writes."""
    out = folder / "figures.json"
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", *words, "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def picture(seed, width=64, height=64, grain=0.0):
    """A smooth random colour picture, uint8; ``grain`` adds pixel noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    return np.clip(smooth + grain * rng.standard_normal(smooth.shape), 0, 255).round().astype(np.uint8)


def scene(seed, width=120, height=90):
    """A random picture with the spectrum of photographs (amplitude ~ 1 / frequency), uint8."""
    white = np.random.default_rng(seed).standard_normal((height, width, 3))
    y, x = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    falling = np.maximum(np.hypot(x, y), 1 / max(width, height))[..., None]
    field = np.fft.ifft2(np.fft.fft2(white, axes=(0, 1)) / falling, axes=(0, 1)).real
    return np.clip(128 + 50 * field / field.std(), 0, 255).round().astype(np.uint8)


def make_genimage(root, outer="stable_diffusion_v_1_4", inner="imagenet_ai_0419_sdv4", count=6, side=64, seed=0):
    """A GenImage subset: JPEG reals of two sizes, PNG fakes of one; ``count`` a class in train and in val."""
    home = root / outer / inner if inner else root / outer
    for split in ("train", "val"):
        for kind in ("nature", "ai"):
            folder = home / split / kind
            folder.mkdir(parents=True)
            for index in range(count):
                number = seed + 1000 * (split == "val") + 100 * (kind == "ai") + index
                if kind == "nature":
                    width = side + 16 * (index % 2)
                    quality = 96 if index % 3 else 80
                    image = Image.fromarray(picture(number, width, side, 4.0))
                    image.save(folder / f"n{number:08d}_{index}.JPEG", quality=quality)
                else:
                    Image.fromarray(picture(number, side, side)).save(folder / f"{index:03d}_sdv4_{number:05d}.png")
    return root


def item(index, label, width=64, height=64, container="", **changes):
    """An item whose ids follow from its number."""
    container = container or ("jpeg" if label == 0 else "png")
    facts = {
        "row_id": content_key(["row", index, label]),
        "path": Path(f"{index}-{label}.png"),
        "label": label,
        "file_id": content_key(["file", index, label]),
        "image_id": content_key(["image", index, label]),
        "container": container,
        "quality": 96 if container == "jpeg" else 0,
        "width": width,
        "height": height,
        "bytes": 1000,
    }
    return Item(**facts | changes)


@pytest.fixture
def genimage(tmp_path):
    """A folder with an sdv14 and a biggan subset."""
    make_genimage(tmp_path / "data")
    return make_genimage(tmp_path / "data", "BigGAN", "imagenet_ai_0419_biggan", side=32, seed=50_000)
