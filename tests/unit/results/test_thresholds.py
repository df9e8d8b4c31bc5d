import csv
import io
import math

import numpy as np

from bench.results import thresholds
from bench.results.folder import Entry, Matrix, Results
from bench.results.frames import to_csv
from bench.results.scores import Scores

PLACE = {"train": "sdv14", "train_protocol": "raw", "seed": 0, "task": "detect", "dataset": "genimage"}
CELL = {"role": "test", "protocol": "raw", "perturbation": "none", "relation": "source", "variant": ""}


def write(results, name, logits, labels):
    count = len(logits)
    ids = tuple(f"{n:032x}" for n in range(count))
    results.write_scores(
        results.root / name, Scores(ids, ids, tuple(labels), tuple(logits), ("ok",) * count, ("",) * count), name
    )


def test_the_threshold_of_a_fit_is_the_one_with_which_its_validation_images_are_told_apart_best(tmp_path):
    rng, results = np.random.default_rng(0), Results(tmp_path)
    labels = [n % 2 for n in range(60)]
    logits = (rng.normal(0, 1, 60) + 3 + np.asarray(labels)).astype(np.float32)
    write(results, "val.parquet", logits.tolist(), labels)
    write(results, "test.parquet", [0.0, 1.0], [0, 1])
    entry = Entry(
        method="dire", fit="f" * 32, subset="sdv14", scores="test.parquet", val="val.parquet", **PLACE, **CELL
    )
    results.write_matrix(Matrix((entry, entry), (), ""))
    (line,) = csv.DictReader(io.StringIO(to_csv(thresholds.compute(results))))
    cut = float(line["logit"])
    accuracy = [((logits > c) == np.asarray(labels)).mean() for c in (*np.linspace(-1, 8, 2000), cut)]
    assert accuracy[-1] == max(accuracy)
    assert math.isclose(float(line["p_fake"]), 1 / (1 + math.exp(-cut)), rel_tol=1e-6)
    assert (line["method"], line["n_real"], line["n_fake"], line["threshold_rule"]) == (
        "dire",
        "30",
        "30",
        "source_val",
    )
