import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import UserError
from bench.results.packed import Packed, pack, rounded


def table(count, **changes):
    ids = [f"{i:032x}" for i in range(count)]
    whole = {
        "row_id": ids,
        "image_id": ids[::-1],
        "label": [i % 2 for i in range(count)],
        "logit": [i / 7 for i in range(count)],
        "status": ["ok"] * count,
        "reason": [""] * count,
    }
    return whole | changes


def test_what_is_packed_is_what_is_read(tmp_path):
    bad = {
        "logit": [math.nan, 1.5],
        "status": ["unreadable", "ok"],
        "reason": ["cut off", ""],
        "image_id": ["", "a" * 32],
    }
    tables = {"scores/a.parquet": table(6), "scores/b.parquet": table(6), "scores/c.parquet": table(2, **bad)}
    probe = {name: table(6)[name] for name in ("row_id", "image_id", "label")} | {"value": [0.1 * i for i in range(6)]}
    pack(tmp_path, tables | {"probes/p.parquet": probe})
    found = Packed(tmp_path)
    a, c = found.read("scores/a.parquet"), found.read("scores/c.parquet")
    assert a["logit"] == pytest.approx(table(6)["logit"])
    assert {k: v for k, v in a.items() if k != "logit"} == {k: v for k, v in table(6).items() if k != "logit"}
    assert math.isnan(c["logit"][0])
    assert (c["status"], c["reason"], c["image_id"]) == (bad["status"], bad["reason"], bad["image_id"])
    assert found.read("probes/p.parquet") == probe
    assert not found.knows("scores/d.parquet")


def test_published_logits_are_the_nearest_of_fifteen_significant_bits():
    values = np.concatenate([np.random.default_rng(0).normal(0, 9, 4000), [1e-30, -3e5, 65504.0, 1 + 2**-15, 0.0]])
    values = values.astype(np.float32)
    found = np.array(rounded(values.tolist()))
    mantissa, exponent = np.frexp(values.astype(float))  # A mantissa of [0.5, 1) with 15 bits, ties away from zero.
    scaled = mantissa * 2**15
    expected = np.ldexp(np.sign(scaled) * np.floor(np.abs(scaled) + 0.5), exponent - 15)
    assert found.tolist() == expected.tolist()
    assert rounded(found.tolist()) == found.tolist()
    special = rounded([math.nan, math.inf, -math.inf, 3.4028234e38])
    assert math.isnan(special[0])
    assert special[1:] == [math.inf, -math.inf, float(np.float32(3.4028234e38))]


def test_images_stand_once_and_packing_is_deterministic(tmp_path):
    tables = {f"scores/{i}.parquet": table(50) for i in range(40)}
    sizes = []
    for name, part in (
        ("one", dict(list(tables.items())[:1])),
        ("all", tables),
        ("again", dict(reversed(tables.items()))),
    ):
        (tmp_path / name).mkdir()
        pack(tmp_path / name, part)
        sizes.append((tmp_path / name / "slices.parquet").stat().st_size)
    assert sizes[0] == sizes[1]
    files = [[(tmp_path / n / f"{f}.parquet").read_bytes() for f in ("slices", "scores")] for n in ("all", "again")]
    assert files[0] == files[1]


def test_images_that_are_listed_are_named_by_their_rows(tmp_path):
    whole = table(6, image_id=["", *table(6)["image_id"][1:]])
    listed = {name: whole[name][::-1] for name in ("row_id", "image_id", "label")}
    tables = {"scores/a.parquet": whole, "scores/b.parquet": table(7)}
    sizes = []
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
        if name == "with":
            pq.write_table(pa.table(listed), tmp_path / name / "images.parquet")
        pack(tmp_path / name, tables)
        read = Packed(tmp_path / name).read
        assert [read(file)["row_id"] for file in tables] == [one["row_id"] for one in tables.values()]
        assert read("scores/a.parquet")["image_id"] == whole["image_id"]
        assert read("scores/b.parquet")["label"] == table(7)["label"]
        lines = pq.read_table(tmp_path / name / "slices.parquet").to_pylist()
        sizes.append([line["place"] for line in lines])
    assert sizes == [[None, None], [[5, 4, 3, 2, 1, 0], None]]


def test_an_empty_folder_knows_nothing(tmp_path):
    assert not Packed(tmp_path).knows("scores/a.parquet")


def test_a_folder_without_its_files_says_so(tmp_path):
    from bench.results.folder import Results

    with pytest.raises(UserError, match="per-image values"):
        Results(tmp_path).read_scores("scores/a.parquet")
