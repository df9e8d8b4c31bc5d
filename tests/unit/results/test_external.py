"""Scores of others from CSV files: both forms, the words for labels, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from bench.errors import UserError
from bench.results import derived, external
from bench.results.external import Form
from bench.results.folder import Results


def scores(n=60, seed=0):
    """P(fake) of two methods on two generators whose photographs are shared."""
    rng, lines = np.random.default_rng(seed), []
    for generator in ("flux", "sora"):
        for i in range(n):
            name = f"real/{i}.jpg" if i % 2 else f"{generator}/{i}.png"
            real = {"id": name, "label": ["fake", "Real"][i % 2], "generator": generator}
            lines.append(real | {"prob_a": rng.beta(2 + 2 * (1 - i % 2), 3), "prob_b": rng.uniform()})
    return pd.DataFrame(lines)


def written(tmp_path, table, form=None):
    path = tmp_path / "their scores.csv"
    table.to_csv(path, index=False)
    results = Results(tmp_path / "results")
    return external.write(path, form or Form(), results), results


def test_a_wide_file_has_the_numbers_of_sklearn(tmp_path):
    table = scores()
    made, results = written(tmp_path, table, Form(scores=("prob_*",)))
    assert (made.images, made.methods, made.missing) == (90, ["prob_a", "prob_b"], {"prob_a": 0, "prob_b": 0})
    rows = pd.read_csv(results.rows, keep_default_na=False).set_index(["method", "subset", "metric", "threshold_rule"])
    for method in ("prob_a", "prob_b"):
        for subset, part in table.groupby("generator"):
            y = (part["label"] == "fake").astype(int)
            assert float(rows.loc[(method, subset, "auc", ""), "value"]) == pytest.approx(
                roc_auc_score(y, part[method])
            )
            assert float(rows.loc[(method, subset, "acc", "0.5"), "value"]) == pytest.approx(
                accuracy_score(y, part[method] > 0.5)
            )
    assert set(rows["train"]) == set(rows["train_protocol"]) == {"external"}


def test_a_long_file_and_logits_give_the_same(tmp_path):
    table = scores()
    long = table.melt(["id", "label", "generator"], var_name="method", value_name="score")
    logits = long.assign(score=np.log(long["score"] / (1 - long["score"])))
    forms = {
        "wide": (table, Form(scores=("prob_*",), dataset="d")),
        "long": (long, Form(dataset="d")),
        "logits": (logits, Form(dataset="d", logits=True)),
    }
    kept, found = ["method", "subset", "metric", "threshold_rule", "value"], []
    for name, (given, form) in forms.items():
        (tmp_path / name).mkdir()
        _, results = written(tmp_path / name, given, form)
        rows = pd.read_csv(results.rows, keep_default_na=False)[kept]
        found.append(rows.sort_values(kept[:4], ignore_index=True))
    for rows in found[1:]:
        pd.testing.assert_frame_equal(found[0], rows)


def test_a_low_score_is_not_flipped_and_a_missing_one_is_a_failure(tmp_path):
    table = scores().drop(columns="prob_b").assign(method="upside down")
    table["score"] = np.where(table["label"] == "fake", 0.1, 0.9)
    table.loc[:2, "score"] = np.nan
    made, results = written(tmp_path, table.drop(columns="prob_a"))
    rows = pd.read_csv(results.rows, keep_default_na=False)
    auc = rows[(rows["metric"] == "auc") & (rows["subset"] == "flux")].iloc[0]
    assert (float(auc["value"]), int(auc["n_failed"])) == (0.0, 3)
    assert made.missing == {"upside down": 3}


def test_certainty_is_finite_and_one_class_is_a_hole(tmp_path):
    table = pd.DataFrame({"path": ["a", "b", "c"], "label": [0, 1, 1], "method": "m", "score": [0, 1, 1]})
    table["subset"] = ["x", "x", "y"]
    _, results = written(tmp_path, table)
    found = {e.subset: e for e in results.read_matrix().entries}
    assert np.isfinite(results.read_scores(found["x"].scores).logit).all()
    assert (found["y"].status, found["y"].reason) == ("missing", "y has no photograph")


@pytest.mark.parametrize(
    ("change", "form", "told"),
    [
        (lambda t: t.drop(columns="label"), Form(scores=("prob_*",)), "no column label"),
        (lambda t: t, Form(scores=("p_*",)), "No column matches"),
        (lambda t: t, Form(), "no column method and score"),
        (lambda t: t, Form(scores=("prob_*",), id="name"), "name"),
        (lambda t: t.assign(label="maybe"), Form(scores=("prob_*",)), "neither real nor fake: maybe"),
        (lambda t: t.assign(prob_a=-3.0), Form(scores=("prob_*",)), "--logits"),
        (lambda t: pd.concat([t, t]), Form(scores=("prob_*",)), "are there twice"),
        (
            lambda t: t.assign(label=["fake"] * 60 + ["real"] * 60, id=t["id"].str[-6:]),
            Form(scores=("prob_*",)),
            "two labels",
        ),
    ],
)
def test_a_wrong_file_is_one_message(change, form, told, tmp_path):
    with pytest.raises(UserError) as error:
        written(tmp_path, change(scores()), form)
    assert told in f"{error.value.problem} {error.value.context} {error.value.fix}"
    assert not (tmp_path / "results").exists()


def test_what_is_written_can_be_measured_again(tmp_path):
    _, results = written(tmp_path, scores(), Form(scores=("prob_*",)))
    before = results.rows.read_text()
    derived.write(results)
    assert results.rows.read_text() == before
