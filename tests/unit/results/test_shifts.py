"""From probe values on disk to Δ tables."""

import numpy as np
import pytest

from bench.results.folder import Column, Matrix, ProbeEntry, Results
from bench.results.frames import to_csv
from bench.results.shifts import compute
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


def test_rows_are_in_column_order_and_repeat(tmp_path):
    found = compute(fill(tmp_path))
    assert found["subset"].tolist() == [subset for subset in SUBSETS for _ in range(2)]
    captioned = found[found["condition"] == "with captions"]
    assert captioned["difference"].tolist() == pytest.approx([0.1, 0.1], abs=0.02)
    assert (captioned["difference_low"] > 0.05).all()
    assert to_csv(compute(Results(tmp_path))) == to_csv(found)


def test_a_failed_probe_is_a_hole_with_its_reason(tmp_path):
    found = compute(fill(tmp_path, reason="the engine broke"))
    assert found["reason"].tolist() == ["", "", "the engine broke", "the engine broke"]
    assert found["delta"].isna().tolist() == [False, False, True, True]
    assert found["difference"][1] == pytest.approx(0.1, abs=0.02)
    assert found["n_real"][0] == 20
    assert to_csv(found).splitlines()[3].endswith("without captions,,,,,,,,,,,,,,,,,the engine broke")


def test_the_values_come_back_as_they_were_written(tmp_path):
    results = fill(tmp_path)
    table = results.read_probe("probes/lpips/sdv14.parquet")
    assert table["label"] == [i % 2 for i in range(40)]
    assert results.has_scores(tmp_path / "probes/lpips/sdv14.parquet", "key")
    assert not results.has_scores(tmp_path / "probes/lpips/sdv14.parquet", "another")
