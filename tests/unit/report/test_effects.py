"""Claims measured on made-up folders, and their page."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from bench.report import effects, findings
from bench.results import shown
from bench.results.comparisons import Side, between
from bench.results.folder import Column, Matrix, ProbeEntry, Results
from bench.results.shown import Time
from bench.suites import experiment as experiments
from bench.suites.effects import Effect
from bench.suites.probed import Probed
from tests.conftest import item
from tests.unit.report.folders import cells_of, made
from tests.unit.results.test_probed import NAMES, fill, split, welch

TOY = {"name": "toy", "title": "A toy", "paper": "sare", "quantity": "length", "probes": {}, "kind": "gap"}


def claim(*measures, **changes):
    return Effect(title="A claim", paper="sare", place="Table 1", claim="It is so.", measures=measures, **changes)


@pytest.fixture
def toy(monkeypatch):
    """An experiment ``toy`` whose values are the probes of :func:`fill`."""

    def use(**changes):
        monkeypatch.setattr(experiments, "load", lambda name: Probed(**TOY | {"values": NAMES} | changes))

    use()
    return use


def test_a_comparison_is_the_difference_of_auc_and_counts_the_subsets_of_its_mean(tmp_path):
    results = made(tmp_path, protocols=("raw",))
    out = {"source": "board/x", "compare": ("alpha", "gamma"), "of": "genimage:mean:out"}
    found = effects.measured({"better": claim(out)}, {"board/x": results}).set_index("protocol")
    assert list(found.index) == ["raw → raw"]
    line = found.loc["raw → raw"]
    pairs = between(Side(results, "alpha"), Side(results, "gamma"), ("alpha", "gamma"))
    known = pairs[(pairs["subset"] == "mean:out")].iloc[0]
    assert line[["value", "low", "high"]].tolist() == known[["effect", "low", "high"]].tolist()
    assert line["value"] == pytest.approx(
        np.mean([roc_auc_score(y, x) for x, y in cells_of(results, "alpha", "out")])
        - np.mean([roc_auc_score(y, x) for x, y in cells_of(results, "gamma", "out")])
    )
    assert line["verdict"] == ("shown" if known["low"] > 0 else "open")
    assert line[["shown", "opposite", "open"]].sum() == 2  # adm and biggan, not all four.
    assert line["images"] == known["n_real"] + known["n_fake"]


def test_a_single_subset_has_no_counts_and_an_absent_one_a_reason(tmp_path):
    one = {"source": "board/x", "compare": ("alpha", "gamma"), "of": "genimage:adm"}
    absent = one | {"train": "biggan"}
    found = effects.measured({"better": claim(one, absent)}, {"board/x": made(tmp_path, protocols=("raw",))})
    assert found[["shown", "opposite", "open"]].to_numpy().sum() == 0
    assert found["reason"].tolist() == ["", "there is no test of alpha and gamma on genimage:adm, trained on biggan"]
    assert found["verdict"].tolist()[1] == ""


def test_delta_is_pooled_over_generators_each_image_once(tmp_path, toy):
    results = fill(tmp_path)
    measure = {"source": "toy", "shift": ("guided",)}
    found = effects.measured({"gap": claim(measure)}, {"toy": results}).set_index("protocol")
    tables = [results.read_probe(f"probes/probe b/{s}@raw.parquet") for s in ("sdv14", "biggan")]
    pool = {i: (v, y) for t in tables for i, v, y in zip(t["image_id"], t["value"], t["label"], strict=True)}
    real, fake = (np.array([v for v, y in pool.values() if y == label]) for label in (0, 1))
    line = found.loc["raw"]
    assert line["images"] == 30 + 60  # The photographs are shared.
    assert line["value"] == pytest.approx(real.mean() - fake.mean())
    assert (line["low"], line["high"]) == pytest.approx(welch(real, fake))
    assert (line["shown"], line["opposite"], line["open"], line["verdict"]) == (2, 0, 0, "shown")
    assert found.loc["aligned", ["shown", "opposite", "open"]].sum() == 0  # One generator: BigGAN is a hole.


def test_two_values_are_paired_and_a_claim_below_is_reversed(tmp_path, toy):
    measures = [
        {"source": "toy", "shift": ("plain", "guided"), "side": side, "of": "genimage:sdv14"}
        for side in ("above", "below")
    ]
    found = effects.measured({"larger": claim(*measures)}, {"toy": fill(tmp_path)})
    assert found["value"].tolist() == pytest.approx([0.15] * 4)
    assert found["verdict"].tolist() == ["shown", "shown", "opposite", "opposite"]


def test_fakes_are_compared_image_by_image(tmp_path, toy):
    results = fill(tmp_path)
    noise = np.random.default_rng(3).normal(0.02, 0.01, 60)
    path = "probes/probe b/sdv14@aligned.parquet"
    table = results.read_probe("probes/probe a/sdv14@aligned.parquet")
    items = [
        type("I", (), {"row_id": r, "image_id": i, "label": y})
        for r, i, y in zip(*(table[n] for n in ("row_id", "image_id", "label")), strict=True)
    ]
    results.write_probe(results.root / path, items, (np.array(table["value"]) + noise).tolist(), "key")
    found = effects.measured(
        {"f": claim({"source": "toy", "fakes": ("guided", "plain"), "of": "genimage:sdv14"})}, {"toy": results}
    )
    line = found.set_index("protocol").loc["aligned"]
    fake = split(results, path)[1] - split(results, "probes/probe a/sdv14@aligned.parquet")[1]
    interval = stats.ttest_1samp(fake, 0).confidence_interval(0.95)
    assert (line["value"], line["low"], line["high"]) == pytest.approx((fake.mean(), interval.low, interval.high))
    assert line["images"] == 30


def test_times_are_a_ratio(tmp_path, toy):
    toy(kind="cost", images=1)
    results, entries = Results(tmp_path), []
    for name, seconds in (("probe a", [6.0, 6.2, 6.4]), ("probe b", [1.0, 1.1, 1.05])):
        shown.write_times(tmp_path / f"probes/{name}.parquet", [Time(n, 4, 9, s) for n, s in enumerate(seconds)], "key")
        entries.append(ProbeEntry(name, "genimage", "sdv14", "raw", f"probes/{name}.parquet"))
    results.write_matrix(Matrix((), (Column("genimage", "sdv14", "SD"),), "a toy suite", tuple(entries)))
    ratio = {"source": "toy", "ratio": ("plain", "guided"), "than": 8}
    line = effects.measured({"cheap": claim(ratio)}, {"toy": results}).iloc[0]
    assert line["value"] == pytest.approx(stats.gmean([6.0, 6.2, 6.4]) / stats.gmean([1.0, 1.1, 1.05]))
    assert (line["verdict"], line["unit"], line["images"]) == ("opposite", "times", 4)


def test_the_page_counts_verdicts_gives_reasons_and_names_what_is_not_measured(tmp_path, toy):
    because = {"shown": "Because it is large.", "opposite": "Never."}
    known = {"gap": claim({"source": "toy", "shift": ("guided",)}, because=because)}
    known["other"] = claim({"source": "board/x", "compare": ("alpha", "beta")})
    text = findings.markdown(known, effects.measured(known, {"toy": fill(tmp_path)}))
    assert "their number (1 here)" in text
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert rows[2:4] == [["SARE", "A claim", "Table 1", "1", "0", "0"], ["SARE", "A claim", "Table 1", "0", "0", "0"]]
    assert next(row for row in rows if row[0] == "length" and row[2] == "raw")[-2:] == ["shown", "2, 0, 0"]
    assert "Shown: Because it is large." in text
    assert "Never." not in text
    assert "Not measured: `board/x`." in text
    assert "## LaRE²" not in text
    assert text.rstrip().endswith("Suites: a toy suite.")


def test_findings_of_some_experiments_are_about_their_claims_alone(tmp_path, toy, monkeypatch):
    known = {"gap": claim({"source": "toy", "shift": ("guided",)})}
    known["other"] = claim({"source": "board/x", "compare": ("alpha", "beta")})
    monkeypatch.setattr(findings.claims, "load", lambda: known)
    written = findings.write({"toy": fill(tmp_path / "toy")}, tmp_path)
    assert "Not measured" not in written.text
    assert (tmp_path / "findings.md").read_text(encoding="utf-8") == written.text
    assert [line["effect"] for line in written.lines] == ["gap", "gap"]
    assert (tmp_path / "findings.csv").read_text(encoding="utf-8").count("\n") == 3


def test_each_generator_with_its_own_detector_is_averaged(tmp_path):
    results = made(tmp_path, seeds=1, protocols=("raw",), subsets=(("sdv14", "source", 1.5), ("adm", "out", 0.4)))
    matrix = results.read_matrix()
    tests = [replace(e, train=e.subset, relation="source") for e in matrix.entries if e.role == "test"]
    results.write_matrix(replace(matrix, entries=tuple(tests)))
    pair = {"source": "board/x", "compare": ("alpha", "gamma")}
    single = [pair | {"train": name, "of": f"genimage:{name}"} for name in ("sdv14", "adm")]
    found = effects.measured({"each": claim(pair | {"each": ("sdv14", "adm")}, *single)}, {"board/x": results})
    mean, *parts = found.to_dict("records")
    assert mean["value"] == pytest.approx(np.mean([part["value"] for part in parts]))
    halves = [(part["high"] - part["low"]) / 2 for part in parts]
    assert (mean["high"] - mean["low"]) / 2 == pytest.approx(np.hypot(*halves) / 2)
    assert mean["images"] == sum(part["images"] for part in parts)
    assert mean["shown"] + mean["opposite"] + mean["open"] == 2


def test_a_hole_leaves_no_average_and_one_class_no_value(tmp_path, toy):
    results = fill(tmp_path)
    known = {
        "gap": claim(
            {"source": "toy", "shift": ("guided",)}, {"source": "toy", "shift": ("guided",), "of": "genimage:sdv14"}
        )
    }
    found = effects.measured(known, {"toy": results})
    aligned = found[found["protocol"] == "aligned"]
    assert aligned["reason"].tolist() == ["no average without biggan: no size", ""]
    assert aligned["verdict"].tolist() == ["", "shown"]
    path = "probes/probe b/sdv14@aligned.parquet"
    items = [item(n, 1) for n in range(40)]
    results.write_probe(results.root / path, items, [0.1] * 40, "key")
    found = effects.measured(known, {"toy": results})
    assert found[found["protocol"] == "aligned"]["reason"].tolist()[1] == "one class alone"


def test_a_probe_that_was_not_measured_is_told(tmp_path, toy):
    toy(values={"guided": "another probe"})
    found = effects.measured({"gap": claim({"source": "toy", "shift": ("guided",)})}, {"toy": fill(tmp_path)})
    assert found["reason"].tolist() == ["the probe was not measured"]
