"""Fits in parts and by several devices, from the command line."""

import numpy as np
import pandas as pd
import pytest

from tests.e2e.conftest import bench

SUITE = """
extends = "mini"
name = "short"
protocols = ["raw"]
controls = []

[methods.conv_b]
epochs = 2
batch_size = 8
"""


def logits(world, name):
    (file,) = (world.root / name / "results" / "scores" / "conv_b").glob("*/genimage-sdv14-test@raw.parquet")
    return pd.read_parquet(file).sort_values("row_id")["logit"].to_numpy(), file.parent.name


@pytest.mark.slow
def test_micro_batches_and_several_devices_make_fits_of_their_own_with_nearly_the_same_scores(world):
    suite = world.root / "short.toml"
    suite.write_text(SUITE)
    found = {}
    for name, words in (("whole", ()), ("parts", ("--micro-batch", "3")), ("two", ("--devices-per-fit", "2"))):
        home = world.root / name
        places = ("--data", world.data, "--store", world.root / "fits", "--results", home / "results")
        done = bench("run", "--methods", "conv_b", "--suite", suite, "--device", "cpu", *places, *words)
        assert done.returncode == 0, done.stderr
        found[name], key = logits(world, name)
        found[key] = name
    assert len(found) == 6
    for name in ("parts", "two"):
        assert np.abs(found[name] - found["whole"]).max() < 0.02 * np.abs(found["whole"]).max()


def test_numbers_that_cannot_be_used_are_told(world):
    for words, told in (
        (("--micro-batch", "-1"), "--micro-batch -1 is too small."),
        (("--devices-per-fit", "0"), "--devices-per-fit 0 is too small."),
        (("--devices-per-fit", "5000"), "--devices-per-fit 5000 is too many."),
        (("--devices-per-fit", "2", "--executor", "ray"), "exclude each other"),
    ):
        done = bench("plan", "--methods", "gramnet", *words, *world.options())
        assert done.returncode == 2
        assert told in done.stderr
