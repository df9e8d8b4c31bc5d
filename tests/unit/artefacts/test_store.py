import json
import multiprocessing
import pickle
import subprocess
import sys
import tarfile

import pytest

from bench.artefacts import store as stores
from bench.artefacts.index import ByteRange, pack
from bench.artefacts.store import DamagedArtefact, DiskFull, Store
from bench.errors import BenchError
from bench.recipe import SOURCE, Recipe
from tests.conftest import ROOT

RECIPE = Recipe("ddim_inversion", 1, {"steps": 2}, inputs={"image": SOURCE})
RECORDS = {f"{n:032x}": bytes([n]) * (100 * n + 1) for n in range(9)}


def fill(store, records, recipe=RECIPE):
    with store.writer(recipe, "png") as writer:
        names = list(records)
        for start in range(0, len(names), 3):
            writer.put({name: records[name] for name in names[start : start + 3]})


def folder_of(store):
    return store.root / "artefacts" / RECIPE.key


def test_what_was_put_is_got_by_any_later_reader(tmp_path):
    fill(Store(tmp_path), RECORDS)
    store = Store(tmp_path)
    assert {name: store.get(RECIPE, name) for name in RECORDS} == RECORDS
    assert store.missing(RECIPE, [*RECORDS, "f" * 32]) == ["f" * 32]


def test_a_sealed_shard_is_a_plain_tar_with_the_recipe_beside_it(tmp_path):
    store = Store(tmp_path)
    fill(store, RECORDS)
    (shard,) = folder_of(store).glob("shard-*.tar")
    with tarfile.open(shard) as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar} == {f"{n}.png": data for n, data in RECORDS.items()}
    assert json.loads((folder_of(store) / "recipe.json").read_text()) == RECIPE.describe()
    assert list(folder_of(store).glob("*.part")) == []


def killed(root, chunks):
    """Put chunks, then die as by SIGKILL: no seal, no flush."""
    import os
    import signal

    store = Store(root)
    with store.writer(RECIPE, "png") as writer:
        for chunk in chunks:
            writer.put(chunk)
        os.kill(os.getpid(), signal.SIGKILL)


def test_whole_chunks_survive_a_kill_and_the_rest_can_be_made_again(tmp_path):
    names = list(RECORDS)
    chunks = [{n: RECORDS[n] for n in names[:3]}, {n: RECORDS[n] for n in names[3:6]}]
    process = multiprocessing.get_context("spawn").Process(target=killed, args=(tmp_path, chunks))
    process.start()
    process.join()
    store = Store(tmp_path)
    assert store.missing(RECIPE, names) == names[6:]
    assert store.get(RECIPE, names[4]) == RECORDS[names[4]]
    fill(store, {n: RECORDS[n] for n in names[6:]})
    assert {name: store.get(RECIPE, name) for name in names} == RECORDS


def test_records_of_another_process_are_seen_when_looked_for_anew(tmp_path):
    names = list(RECORDS)
    here, other = Store(tmp_path), Store(tmp_path)
    assert here.missing(RECIPE, names) == names
    with other.writer(RECIPE, "png") as writer:
        for start in range(0, len(names), 3):
            writer.put({n: RECORDS[n] for n in names[start : start + 3]})
            assert here.missing(RECIPE, names, refresh=True) == names[start + 3 :]
        (index,) = folder_of(here).glob("*.idx.part")
        whole, later = index.read_bytes(), "f" * 32
        entry = pack([(later, ByteRange("", "", 512, 1, 0))])
        index.write_bytes(whole + entry[:-1])
        assert here.missing(RECIPE, [later], refresh=True) == [later]
        index.write_bytes(whole + entry)
        assert here.missing(RECIPE, [later], refresh=True) == []
        index.write_bytes(whole)
    assert {name: here.get(RECIPE, name) for name in names} == RECORDS


@pytest.mark.parametrize("cut", [1, 39, 40])
def test_a_torn_index_entry_hides_its_record_alone(tmp_path, cut):
    fill(Store(tmp_path), RECORDS)
    (index,) = folder_of(Store(tmp_path)).glob("*.idx")
    index.write_bytes(index.read_bytes()[:-cut])
    assert Store(tmp_path).missing(RECIPE, RECORDS) == list(RECORDS)[8:]


@pytest.mark.parametrize("size", [0, 7, 39])
def test_a_torn_header_hides_its_shard_alone(tmp_path, size):
    fill(Store(tmp_path), RECORDS)
    more = {f"{n:032x}": b"more" for n in range(20, 25)}
    (index,) = folder_of(Store(tmp_path)).glob("*.idx")
    fill(Store(tmp_path), more)
    index.write_bytes(index.read_bytes()[:size])
    assert Store(tmp_path).missing(RECIPE, [*RECORDS, *more]) == list(RECORDS)


def test_too_little_space_is_told_and_what_was_finished_stays_readable(tmp_path, monkeypatch):
    store, names = Store(tmp_path), list(RECORDS)
    with store.writer(RECIPE, "png") as writer:
        writer.put({name: RECORDS[name] for name in names[:3]})
        monkeypatch.setattr(stores, "RESERVE_BYTES", 2**60)
        with pytest.raises(DiskFull, match="is full") as caught:
            writer.put({name: RECORDS[name] for name in names[3:]})
    assert "MiB are free" in caught.value.context
    assert Store(tmp_path).missing(RECIPE, names) == names[3:]
    assert {name: Store(tmp_path).get(RECIPE, name) for name in names[:3]} == {n: RECORDS[n] for n in names[:3]}


ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from bench.artefacts import store as stores
from bench.recipe import SOURCE, Recipe
stores.RESERVE_BYTES = 0
recipe, store, kept = Recipe("e", 1, inputs={"image": SOURCE}), stores.Store(Path(sys.argv[1])), []
try:
    with store.writer(recipe, "png") as writer:
        for number in range(1000):
            writer.put({f"{number:032x}": bytes([number % 256]) * 50_000})
            kept.append(number)
except stores.DiskFull as error:
    print(error)
again = stores.Store(store.root)
assert 10 < len(kept) < 50, kept
assert all(again.get(recipe, f"{number:032x}") == bytes([number % 256]) * 50_000 for number in kept)
"""


def test_a_disk_that_is_full_stays_readable(tmp_path):
    script = tmp_path / "fill.py"
    script.write_text(ON_A_SMALL_DISK)
    disk = tmp_path / "disk"
    inside = f"mount -t tmpfs -o size=2m none {disk} && PYTHONPATH=. {sys.executable} {script} {disk}/store"
    disk.mkdir()
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", inside], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"this machine does not let a test mount a small disk: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert "is full" in done.stdout


def test_read_returns_the_payload_and_the_bytes(tmp_path):
    store = Store(tmp_path)
    with store.writer(RECIPE, "txt") as writer:
        writer.put({"0" * 32: b"a red disc"})
    assert Store(tmp_path).read(RECIPE, "0" * 32) == ("txt", b"a red disc")


def test_two_writers_of_one_record_are_harmless(tmp_path):
    fill(Store(tmp_path), RECORDS)
    fill(Store(tmp_path), RECORDS)
    store = Store(tmp_path)
    assert {name: store.get(RECIPE, name) for name in RECORDS} == RECORDS


def test_another_recipe_never_reuses_an_artefact(tmp_path):
    store = Store(tmp_path)
    fill(store, RECORDS)
    other = Recipe("ddim_inversion", 1, {"steps": 3}, inputs={"image": SOURCE})
    assert store.missing(other, RECORDS) == list(RECORDS)


def test_a_missing_record_says_what_to_run(tmp_path):
    with pytest.raises(BenchError, match="no ddim_inversion artefact") as caught:
        Store(tmp_path).get(RECIPE, "abc")
    assert "prepare" in caught.value.fix


def test_a_damaged_record_is_an_error_naming_the_file(tmp_path):
    fill(Store(tmp_path), RECORDS)
    (shard,) = folder_of(Store(tmp_path)).glob("*.tar")
    data = bytearray(shard.read_bytes())
    data[512] ^= 1
    shard.write_bytes(data)
    with pytest.raises(BenchError, match="damaged") as caught:
        Store(tmp_path).get(RECIPE, next(iter(RECORDS)))
    assert str(shard) in caught.value.context


def test_a_reader_sees_what_another_writes_after_its_first_look(tmp_path):
    reader, writing = Store(tmp_path), Store(tmp_path)
    assert reader.missing(RECIPE, RECORDS) == list(RECORDS)
    with writing.writer(RECIPE, "png") as writer:
        writer.put(RECORDS)
        assert {name: reader.get(RECIPE, name) for name in RECORDS} == RECORDS  # Not sealed yet.
    assert {name: reader.get(RECIPE, name) for name in RECORDS} == RECORDS  # Sealed since its index was read.


def test_a_shard_that_is_sealed_while_it_is_listed_is_read(tmp_path, monkeypatch):
    store, reader = Store(tmp_path), Store(tmp_path)
    fill(store, RECORDS)
    listed = [path.with_name(path.name + ".part") for path in folder_of(store).glob("shard-*.idx")]
    monkeypatch.setattr(
        type(folder_of(store)), "glob", lambda self, pattern: iter(listed if "shard" in pattern else ())
    )
    assert reader.missing(RECIPE, RECORDS) == []


def flip(store, identity):
    """Change one byte of a record on disk; returns its shard."""
    place = store.index(RECIPE.key).find(identity)
    path = folder_of(store) / f"{place.shard}.tar"
    with path.open("r+b") as file:
        file.seek(place.offset + place.length // 2)
        byte = file.read(1)
        file.seek(place.offset + place.length // 2)
        file.write(bytes([byte[0] ^ 0x10]))
    return path


def test_only_a_damaged_record_is_dropped_and_made_again(tmp_path):
    fill(Store(tmp_path), RECORDS)
    name = sorted(RECORDS)[4]
    flip(Store(tmp_path), name)
    store, other = Store(tmp_path), Store(tmp_path)
    assert other.missing(RECIPE, RECORDS) == []
    with pytest.raises(DamagedArtefact, match="damaged") as caught:
        store.get(RECIPE, name)
    assert (caught.value.key, caught.value.identity) == (RECIPE.key, name)
    assert store.missing(RECIPE, RECORDS) == [name]
    assert other.missing(RECIPE, RECORDS, refresh=True) == [name]
    assert Store(tmp_path).missing(RECIPE, RECORDS) == [name]
    fill(Store(tmp_path), {name: RECORDS[name]})
    whole = Store(tmp_path)
    assert {n: whole.get(RECIPE, n) for n in RECORDS} == RECORDS


def test_a_damaged_artefact_survives_pickling(tmp_path):
    error = pickle.loads(pickle.dumps(DamagedArtefact("a", "b", "c", "key", "id")))
    assert isinstance(error, DamagedArtefact)
    assert (error.problem, error.fix, error.key, error.identity) == ("a", "c", "key", "id")


def test_shards_have_a_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "SHARD_BYTES", 2000)
    fill(Store(tmp_path), RECORDS)
    shards = sorted(folder_of(Store(tmp_path)).glob("shard-*.tar"))
    assert len(shards) > 1
    largest = max(len(data) for data in RECORDS.values())
    assert all(path.stat().st_size <= 2000 + 3 * (largest + 2 * 512) + 2 * 512 for path in shards)
    store = Store(tmp_path)
    assert {name: store.get(RECIPE, name) for name in RECORDS} == RECORDS
