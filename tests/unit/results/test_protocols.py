"""What a protocol takes from a detector, and what training under it gives back: on shared images, by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bench.cli.inspect import verify
from bench.report.board import Board
from bench.report.protocols import write_protocols
from bench.report.write import write_report
from bench.results import derived, protocols
from bench.results.folder import Column, Entry, Matrix, Results
from tests.unit.results.test_measure import scores

SUBSETS = (("sdv14", "source"), ("adm", "out"), ("biggan", "out"))
COMMON = {"variant": "", "train": "sdv14", "task": "detect", "dataset": "genimage", "role": "test"}
RAW, MOVED, OWN = ("raw", "raw"), ("raw", "aligned"), ("aligned", "aligned")
SKILLS = {RAW: 2.5, MOVED: 0.6, OWN: 1.4}


def fill(root, settings=(RAW, MOVED, OWN), failed=0):
    """A detector with two seeds; ``aligned`` has the first 30 of 40 images of each class, in another order."""
    results, entries, number = Results(root), [], 0
    for seed in (0, 1):
        for trained, tested in settings:
            for place, (subset, relation) in enumerate(SUBSETS):
                number += 1
                skill = SKILLS[trained, tested]
                made = scores(10 * place + seed, shift=skill, failed=failed if tested == "aligned" else 0)
                if tested == "aligned":
                    kept = np.random.default_rng(number).permutation(60)
                    made = type(made)(*(tuple(column[k] for k in kept) for column in vars(made).values()))
                name = f"scores/{number}.parquet"
                results.write_scores(root / name, made, str(number))
                what = {"train_protocol": trained, "protocol": tested, "subset": subset, "relation": relation}
                what |= {"method": "alpha", "seed": seed, "perturbation": "none"}
                entries.append(Entry(**COMMON, **what, fit=f"{trained}{seed}", key=str(number), scores=name))
    columns = tuple(Column("genimage", subset, subset) for subset, _ in SUBSETS)
    results.write_matrix(Matrix(tuple(entries), columns, "suite"))
    results.write_json(results.cards, {"alpha": {"kind": "detector", "title": "Alpha"}})
    derived.write(results)
    return results


def expected(results, setting, subset):
    """The mean over seeds of scikit-learn's AUC on the images that aligned has scored."""
    found = []
    for entry in results.read_matrix().entries:
        if ((entry.train_protocol, entry.protocol), entry.subset) == (setting, subset):
            t = results.table(entry.scores)
            usable = [i for i, row in enumerate(t["row_id"]) if int(row, 16) in range(3, 60) and t["status"][i] == "ok"]
            found.append(roc_auc_score([t["label"][i] for i in usable], [t["logit"][i] for i in usable]))
    return np.mean(found)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("protocols"), failed=3)


def test_values_and_differences_are_those_of_the_shared_images(made):
    found = protocols.read(made).set_index("subset")
    assert set(found.index) == {"sdv14", "mean:out", "mean:all"}
    members = {"sdv14": ["sdv14"], "mean:out": ["adm", "biggan"], "mean:all": ["sdv14", "adm", "biggan"]}
    for subset, row in found.iterrows():
        values = [np.mean([expected(made, s, one) for one in members[subset]]) for s in (RAW, MOVED, OWN)]
        assert [row["raw"], row["moved"], row["own"]] == pytest.approx(values, abs=1.1e-6)
        assert row["lost"] == pytest.approx(values[0] - values[1], abs=1.1e-6)
        assert row["gained"] == pytest.approx(values[2] - values[1], abs=1.1e-6)
        assert row["lost_low"] < row["lost"] < row["lost_high"]
        assert (row["n_real"] + row["n_fake"], row["seeds"]) == (57 * len(members[subset]), 2)


def test_without_fits_under_the_protocol_there_is_no_third_column(tmp_path):
    results = fill(tmp_path, (RAW, MOVED))
    row = protocols.read(results).set_index("subset").loc["sdv14"]
    assert row[["own", "gained", "gained_low"]].isna().all()
    assert row["lost"] > 0
    write_protocols(Board(results), results)
    assert "| Alpha    |" in (results.tables / "protocols.md").read_text()


@pytest.mark.parametrize("settings", [(RAW,), (OWN,), (MOVED, OWN)])
def test_without_two_protocols_of_raw_fits_there_is_no_file_and_no_table(tmp_path, settings):
    results = fill(tmp_path, settings)
    assert not results.protocols.exists()
    assert protocols.read(results).empty
    assert write_protocols(Board(results), results) == []


def test_the_table_is_the_files(made):
    write_protocols(Board(made), made)
    text = (made.tables / "protocols.md").read_text()
    row = protocols.read(made).set_index("subset").loc["sdv14"]
    shown = f"{100 * row['lost']:+.1f} [{100 * row['lost_low']:+.1f}, {100 * row['lost_high']:+.1f}]"
    assert f"| {100 * row['raw']:.1f} " in text
    assert shown in text
    assert "**genimage, sdv14; trained on sdv14; aligned**" in text


def test_verify_recomputes_the_file(made):
    write_report(made, figures=False)
    assert verify(made)[1] == []
    text = made.protocols.read_text()
    made.protocols.write_text(text.replace("alpha", "gamma", 1))
    (line,) = verify(made)[1]
    assert line.startswith("protocols.csv is not what the scores say: line ")
    made.protocols.unlink()
    assert verify(made)[1] == ["protocols.csv is missing"]
    made.protocols.write_text(text)
