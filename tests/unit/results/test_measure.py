import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from bench.errors import UserError
from bench.metrics.classification import best_threshold, tally
from bench.results import load_results, rows
from bench.results.folder import Column, Entry, Matrix, Results
from bench.results.measure import measure
from bench.results.scores import Scores

TRAINING, TEST = ("dire", "", "sdv14", "raw", 0, "detect"), ("genimage", "sdv14", "test", "raw", "none", "source")
ENTRY = Entry(*TRAINING, *TEST, fit="f" * 32)


def scores(seed, n=40, shift=1.0, failed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(2 * n) % 2
    logits = (rng.standard_normal(2 * n) + shift * labels).astype(np.float32)
    logits[:failed] = np.nan
    names = tuple(f"{i:032x}" for i in range(2 * n))
    status = tuple("unreadable" if i < failed else "ok" for i in range(2 * n))
    reason = tuple("broken" if i < failed else "" for i in range(2 * n))
    return Scores(names, names, tuple(labels.tolist()), tuple(logits.tolist()), status, reason)


@pytest.fixture
def results(tmp_path):
    """Three scored subsets (source, family, out) and the validation cell."""
    folder = Results(tmp_path)
    places = [
        ("sdv14", "test", "source"),
        ("sdv15", "test", "family"),
        ("biggan", "test", "out"),
        ("sdv14", "val", "source"),
    ]
    entries = []
    for number, (subset, role, relation) in enumerate(places):
        name = f"scores/{subset}-{role}.parquet"
        entry = replace(ENTRY, subset=subset, role=role, relation=relation, key=f"{number}", scores=name)
        folder.write_scores(tmp_path / name, scores(number, failed=3 * (subset == "biggan")), entry.key)
        entries.append(replace(entry, val=("scores/sdv14-val.parquet",)))
    columns = [Column("genimage", s, s.upper()) for s in ("sdv14", "sdv15", "biggan")]
    folder.write_matrix(Matrix(tuple(entries), tuple(columns), "label"))
    return folder


def find(found, subset, metric, rule=""):
    same = (found["subset"] == subset) & (found["metric"] == metric) & (found["threshold_rule"] == rule)
    assert same.sum() == 1
    row = found[same].iloc[0]
    return row.where(row.notna(), None)


def test_rows_are_the_scores_metrics(results):
    found = measure(results).rows
    given = scores(0)
    row = find(found, "sdv14", "auc")
    assert row.value == pytest.approx(roc_auc_score(given.label, given.logit))
    assert find(found, "sdv14", "ap").value == pytest.approx(average_precision_score(given.label, given.logit))
    assert row.low < row.value < row.high
    assert (row.n_real, row.n_fake, row.n_listed, row.n_failed) == (40, 40, 80, 0)


def test_failed_images_are_counted_and_leave_the_metric(results):
    row = find(measure(results).rows, "biggan", "auc")
    given = scores(2, failed=3)
    assert (row.n_real, row.n_fake, row.n_listed, row.n_failed) == (38, 39, 80, 3)
    assert row.value == pytest.approx(roc_auc_score(given.label[3:], given.logit[3:]))


def test_averages_are_of_the_right_relations(results):
    found = measure(results).rows
    single = {s: find(found, s, "auc").value for s in ("sdv14", "sdv15", "biggan")}
    assert find(found, "mean:all", "auc").value == pytest.approx(np.mean(list(single.values())))
    assert find(found, "mean:family", "auc").value == pytest.approx(single["sdv15"])
    assert find(found, "mean:out", "auc").value == pytest.approx(single["biggan"])
    assert find(found, "mean:all", "auc").high - find(found, "mean:all", "auc").low < 0.25
    pooled = [scores(n, failed=3 * (n == 2)) for n in range(3)]
    kept = [(x, y) for s in pooled for x, y, ok in zip(s.logit, s.label, s.status, strict=True) if ok == "ok"]
    logits, labels = zip(*kept, strict=True)
    assert find(found, "pooled", "auc").value == pytest.approx(roc_auc_score(labels, logits))


def test_a_hole_has_its_reason_and_blocks_the_averages_it_belongs_to(results):
    matrix = results.read_matrix()
    entries = [
        replace(e, status="failed", reason="no weights", scores="") if e.subset == "biggan" else e
        for e in matrix.entries
    ]
    results.write_matrix(replace(matrix, entries=tuple(entries)))
    found = measure(results).rows
    assert (find(found, "biggan", "auc").value, find(found, "biggan", "auc").reason) == (None, "no weights")
    assert find(found, "mean:all", "auc").value is None
    assert find(found, "mean:all", "auc").reason == "no average without biggan"
    assert find(found, "mean:out", "auc").value is None
    assert find(found, "mean:family", "auc").value is not None


def test_a_cell_without_one_class_fails_with_its_reason(results):
    only = scores(5)
    only = replace(only, status=tuple("ok" if y == 0 else "unreadable" for y in only.label))
    results.write_scores(results.root / "scores/sdv15-test.parquet", only, "1")
    row = find(measure(results).rows, "sdv15", "acc", "0.5")
    assert (row.value, row.status, row.reason) == (None, "failed", "no readable fake image among 80")


def test_rows_survive_their_file_and_are_written_alike(results):
    found = measure(results).rows
    rows.write(results.rows, found)
    text = results.rows.read_text()
    again = rows.read(results.rows)
    assert rows.render(again) == text == rows.render(measure(results).rows)
    assert again.dtypes.equals(found.dtypes)
    assert np.allclose(again["value"].to_numpy(), found["value"].to_numpy(), rtol=5.1e-6, equal_nan=True)
    assert load_results(str(results.root)).equals(again)


def test_a_foreign_rows_file_is_refused(results):
    results.rows.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="columns of schema"):
        rows.read(results.rows)


def test_scores_of_another_cell_or_a_torn_file_do_not_count(results):
    path = results.root / "scores/sdv14-test.parquet"
    assert results.has_scores(path, "0")
    assert not results.has_scores(path, "1")
    path.write_bytes(path.read_bytes()[:-30])
    assert not results.has_scores(path, "0")


def test_an_empty_folder_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="contains no results"):
        Results(tmp_path).read_matrix()


@pytest.mark.parametrize(("n", "told"), [(19, False), (20, True)])
def test_a_handful_of_images_has_no_interval(tmp_path, n, told):
    folder, entry = Results(tmp_path), replace(ENTRY, key="1", scores="scores/a.parquet")
    folder.write_scores(tmp_path / "scores/a.parquet", scores(1, n=n), "1")
    folder.write_matrix(Matrix((entry,), (Column("genimage", "sdv14", "x"),), "label"))
    row = find(measure(folder).rows, "sdv14", "auc")
    assert row.value is not None
    assert ((row.low is not None), (row.high is not None), bool(row.interval)) == (told,) * 3


@pytest.mark.parametrize("damage", ["cut", "bytes", "schema", "words"])
def test_damaged_rows_are_one_message(results, damage):
    rows.write(results.rows, measure(results).rows)
    text = results.rows.read_text()
    lines = text.splitlines()
    broken = {
        "cut": text[: len(text) - len(lines[-1]) // 2].encode(),
        "bytes": text.encode() + b"\xff\xfe",
        "schema": "\n".join([lines[0], "9" + lines[1][1:]]).encode(),
        "words": "\n".join([lines[0], lines[1].replace(",0,", ",x,", 1)]).encode(),
    }
    results.rows.write_bytes(broken[damage])
    with pytest.raises(UserError, match="cannot be read as schema 1"):
        load_results(results.root)


def test_the_threshold_of_a_joint_source_is_chosen_on_all_its_validation_images(results):
    """Not on those of its last subset: there the best threshold may call every image of the other fake."""
    matrix, entry = results.read_matrix(), replace(ENTRY, key="5", scores="scores/sdv14-val2.parquet", role="val")
    shifted = scores(9)
    shifted = replace(shifted, logit=tuple(x + 5.0 for x in shifted.logit))
    results.write_scores(results.root / entry.scores, shifted, "5")
    both = ("scores/sdv14-val.parquet", entry.scores)
    for files in (both, both[::-1]):
        results.write_matrix(replace(matrix, entries=tuple(replace(e, val=files) for e in matrix.entries)))
        parts = [scores(3), shifted]
        logits, labels = (np.concatenate([getattr(p, name) for p in parts]) for name in ("logit", "label"))
        cut = best_threshold(tally(logits.astype(np.float32), labels))
        given = scores(0)
        right = (np.asarray(given.logit, np.float32) > cut) == np.asarray(given.label)
        found = measure(results)
        assert find(found.rows, "sdv14", "acc", "source_val").value == pytest.approx(right.mean())


def test_a_folder_of_one_validation_file_per_fit_is_read(results):
    """Folders were written so before a fit could have several."""
    document = json.loads(results.matrix.read_text())
    for cell in document["cells"]:
        cell["val"] = cell["val"][0]
    results.matrix.write_text(json.dumps(document))
    assert {entry.val for entry in results.read_matrix().entries} == {("scores/sdv14-val.parquet",)}
