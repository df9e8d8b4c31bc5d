"""From probe values on disk to Δ tables."""

import csv
import io

import numpy as np
import pytest

from bench.results.folder import Column, Matrix, ProbeEntry, Results
from bench.results.shifts import lines, render
from tests.conftest import item

SUBSETS = ("sdv14", "biggan")


def fill(root, reason=""):
    results, probes, rng = Results(root), [], np.random.default_rng(0)
    for subset in SUBSETS:
        items = [item(i, i % 2) for i in range(40)]
        for name, gap in (("lpips", 0.0), ("lpips+caption", 0.1)):
            path = f"probes/{name}/{subset}.parquet"
            values = [0.3 + gap * (i.label == 0) + rng.normal(0, 0.01) for i in items]
            results.write_probe(root / path, items, values, "key")
            probes.append(ProbeEntry(name, "genimage", subset, "raw", path))
    if reason:
        probes[-1] = ProbeEntry("lpips+caption", "genimage", SUBSETS[-1], "raw", "", reason)
    columns = tuple(Column("genimage", s, s.upper()) for s in SUBSETS)
    results.write_matrix(Matrix((), columns, "suite", tuple(probes)))
    return results


def test_lines_stand_in_column_order_and_repeat(tmp_path):
    results = fill(tmp_path)
    found = lines(results)
    assert [line.subset for line in found] == list(SUBSETS)
    assert all(line.gain.value == pytest.approx(0.1, abs=0.02) and line.gain.low > 0.05 for line in found)
    assert render(lines(Results(tmp_path))) == render(found)


def test_a_failed_probe_is_a_hole_with_its_reason(tmp_path):
    found = lines(fill(tmp_path, reason="the engine broke"))
    assert found[0].gain is not None
    assert (found[1].gain, found[1].reason) == (None, "the engine broke")
    table = list(csv.DictReader(io.StringIO(render(found))))
    assert [row["reason"] for row in table] == ["", "", "the engine broke", "the engine broke"]
    assert table[2]["delta"] == ""
    assert float(table[1]["difference"]) == pytest.approx(0.1, abs=0.02)
    assert table[0]["n_real"] == "20"


def test_the_values_come_back_as_they_were_written(tmp_path):
    results = fill(tmp_path)
    table = results.read_probe("probes/lpips/sdv14.parquet")
    assert table["label"] == [i % 2 for i in range(40)]
    assert results.has_scores(tmp_path / "probes/lpips/sdv14.parquet", "key")
    assert not results.has_scores(tmp_path / "probes/lpips/sdv14.parquet", "another")
