import json
import random

import pytest

from bench.artefacts import index as indexes
from bench.artefacts.index import ENTRY
from bench.artefacts.store import Store
from tests.unit.artefacts.test_store import RECIPE, RECORDS, fill, folder_of


def test_entries_that_a_crash_left_as_zeros_are_passed_over(tmp_path):
    fill(Store(tmp_path), RECORDS)
    (index,) = folder_of(Store(tmp_path)).glob("*.idx")
    index.write_bytes(index.read_bytes() + bytes(3 * ENTRY.itemsize))
    store = Store(tmp_path)
    assert store.missing(RECIPE, RECORDS) == []
    assert len(store.index(RECIPE.key)) == len(RECORDS)


def lines(store, payload=True):
    """Rewrite the index as JSON lines, as stores before this format have it."""
    spans = [(i, store.index(RECIPE.key).find(i)) for i in RECORDS]
    entries = [[i, span.offset, span.length, f"{span.checksum:016x}"] for i, span in spans]
    (index,) = folder_of(store).glob("*.idx")
    chunks = [entries[start : start + 3] for start in range(0, len(entries), 3)]
    index.write_text("".join(json.dumps(["png", chunk] if payload else chunk[:2]) + "\n" for chunk in chunks))
    return index


def test_an_index_of_json_lines_is_read_up_to_its_last_whole_line(tmp_path):
    fill(Store(tmp_path), RECORDS)
    index = lines(Store(tmp_path))
    store = Store(tmp_path)
    assert {name: store.read(RECIPE, name) for name in RECORDS} == {n: ("png", data) for n, data in RECORDS.items()}
    index.write_text(index.read_text()[:-9])
    assert Store(tmp_path).missing(RECIPE, RECORDS) == list(RECORDS)[6:]


def test_an_index_of_the_first_format_is_passed_over(tmp_path):
    fill(Store(tmp_path), RECORDS)
    lines(Store(tmp_path), payload=False)
    assert Store(tmp_path).missing(RECIPE, RECORDS) == list(RECORDS)


def test_an_image_id_that_is_none_is_missing(tmp_path):
    fill(Store(tmp_path), RECORDS)
    assert Store(tmp_path).missing(RECIPE, [*RECORDS, "no id"]) == ["no id"]
    with pytest.raises(ValueError, match="not an image id"), Store(tmp_path).writer(RECIPE, "png") as writer:
        writer.put({"ff": b""})


@pytest.mark.parametrize("recent", [0, 5, 20_000])
def test_many_records_in_any_order_are_found(tmp_path, monkeypatch, recent):
    monkeypatch.setattr(indexes, "_RECENT", recent)
    rng = random.Random(0)
    records = {f"{rng.getrandbits(128):032x}": bytes([n % 251]) * (n % 7) for n in range(300)}
    same_half = [f"{7:016x}{n:016x}" for n in range(5)]
    records |= {identity: identity.encode() for identity in same_half}
    reader, names = Store(tmp_path), sorted(records)
    for start in range(0, len(names), 61):
        fill(Store(tmp_path), {name: records[name] for name in names[start : start + 61]})
        assert reader.missing(RECIPE, names, refresh=True) == names[start + 61 :]
    assert {name: reader.get(RECIPE, name) for name in names} == records
    assert [(i, reader.get(RECIPE, i)) for i, _ in reader.index(RECIPE.key).records()] == sorted(records.items())
