"""Learning rates are compared on validation images; test images take no part."""

import tomllib

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from bench.results.folder import Entry, Matrix, Results
from bench.suites import suite as suites
from tests.unit.results.test_measure import scores
from tools import tuning


def test_every_detector_gets_a_slower_and_a_faster_variant(tmp_path):
    file = tmp_path / "tuning.toml"
    file.write_text(tuning.suite_of("board", ["univfd", "semgir"]))
    assert "univfd" in tuning.names()
    assert not {"container", "semgir_a"} & set(tuning.names())
    suite = suites.load(str(file))
    rates = {name: tuning._rates(suites.load("board"), name) for name in ("univfd", "semgir")}
    assert set(rates["semgir"]) == {"lr", "encoder_lr"}
    for name, parameters in rates.items():
        for key, rate in parameters.items():
            assert suite.methods[f"{name}[slower]"][key] == pytest.approx(rate / 3, rel=0.01)
            assert suite.methods[f"{name}[faster]"][key] == pytest.approx(3 * rate, rel=0.01)
    assert tomllib.loads(file.read_text())["protocols"] == ["aligned"]


def test_the_numbers_are_those_of_the_validation_scores(tmp_path):
    results, entries = Results(tmp_path), []
    place = {"train": "sdv14", "task": "detect", "dataset": "genimage", "role": "test", "subset": "sdv14"}
    place |= {"train_protocol": "aligned", "protocol": "aligned", "relation": "source", "perturbation": "none"}
    for number, variant in enumerate(tuning.FACTORS):
        given = {part: scores(10 * number + (part == "val"), shift=number) for part in ("val", "test")}
        for part, values in given.items():
            results.write_scores(tmp_path / f"scores/{part}{number}.parquet", values, "")
        words = {"method": "univfd", "variant": variant, "seed": 0, "fit": f"{number:032x}"}
        name = f"scores/test{number}.parquet"
        entries.append(Entry(**place, **words, key=str(number), scores=name, val=(f"scores/val{number}.parquet",)))
    results.write_matrix(Matrix(tuple(entries), (), "label"))
    table = tuning.chosen(pd.DataFrame(tuning.measured(results, "board")))
    rate = tuning._rates(suites.load("board"), "univfd")["lr"]
    assert list(table["rate"]) == pytest.approx([rate / 3, rate, 3 * rate], rel=0.01)
    assert list(table["suite's"]) == [False, True, False]
    for number, row in enumerate(table.itertuples()):
        values = scores(10 * number + 1, shift=number)
        chances = 1 / (1 + np.exp(-np.asarray(values.logit)))
        assert row.auc == pytest.approx(roc_auc_score(values.label, values.logit))
        assert row.loss == pytest.approx(log_loss(values.label, chances), rel=1e-5)
    assert table["lowest"].sum() == 1
    assert table.loc[table["lowest"], "loss"].item() == table["loss"].min()
