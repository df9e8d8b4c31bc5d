from dataclasses import replace

import pytest

from bench import discover
from bench.data import splits
from bench.data.dataset import unused_folders
from bench.data.index import Index
from bench.errors import UserError
from bench.progress import Progress
from tests.conftest import item, make_genimage

POOL = [item(i, label) for i in range(50) for label in (0, 1)]


def ids(part):
    return {i.image_id for i in part.items}


def test_train_and_val_are_disjoint_and_cover_the_folder():
    train, val = splits.train_slices("genimage", "sdv14", POOL, splits.Limits(None, None))
    assert ids(train) & ids(val) == set()
    assert ids(train) | ids(val) == {i.image_id for i in POOL}
    assert val.count(0) == val.count(1) == 5


def test_copies_of_an_image_fall_on_one_side():
    copies = [replace(i, row_id=i.row_id[::-1]) for i in POOL]
    train, val = splits.train_slices("genimage", "sdv14", [*POOL, *copies], splits.Limits(None, None))
    assert ids(train) & ids(val) == set()
    assert len(train.items) + len(val.items) == 200


def test_the_split_does_not_move_with_the_seed_but_the_draw_does():
    first = splits.train_slices("genimage", "sdv14", POOL, splits.Limits(20, None, seed=0))
    second = splits.train_slices("genimage", "sdv14", POOL, splits.Limits(20, None, seed=1))
    everything = splits.train_slices("genimage", "sdv14", POOL, splits.Limits(None, None))[1]
    assert ids(first[1]) <= ids(everything)
    assert ids(first[0]) != ids(second[0])
    assert ids(first[0]) & ids(everything) == set()


def test_smaller_draws_nest():
    draws = [splits.test_slice("genimage", "sdv14", POOL, splits.Limits(None, n)) for n in (5, 10, 40)]
    assert ids(draws[0]) < ids(draws[1]) < ids(draws[2])
    assert draws[0].count(0) == draws[0].count(1) == 5


def test_an_image_of_a_test_slice_is_quarantined_in_training():
    train, _ = splits.train_slices("genimage", "sdv14", POOL, splits.Limits(None, None))
    shared = train.items[3]
    kept = splits.without_test_images(train, {shared.image_id: "genimage-adm-test"})
    assert shared.row_id not in {i.row_id for i in kept.usable}
    assert [i.reason for i in kept.items if i.status == "leak"] == ["also in genimage-adm-test"]


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("stable_diffusion_v_1_4", "imagenet_ai_0419_sdv4"),
        ("Stable_Diffusion_V_1_4", ""),
        ("imagenet_ai_0419_sdv4", ""),
        ("stable_diffusion_v_1_4", "whatever"),
    ],
)
def test_genimage_is_found_in_every_layout(tmp_path, outer, inner):
    make_genimage(tmp_path, outer, inner, count=2)
    (tmp_path / "__MACOSX").mkdir()
    found = discover.dataset("genimage").find(tmp_path)
    assert set(found) == {"sdv14"}
    assert set(found["sdv14"]) == {"train", "test"}
    assert {len(folders) for folders in found["sdv14"]["train"].values()} == {1}


def test_scanned_items_have_facts_and_odd_suffixes_survive(genimage):
    home = genimage / "BigGAN" / "imagenet_ai_0419_biggan" / "val" / "ai"
    first = sorted(home.iterdir())[0]
    first.rename(first.with_suffix(".PNG"))
    (home / "._junk.png").write_bytes(b"resource fork")
    (home / "broken.png").write_bytes(b"nothing")
    dataset = discover.dataset("genimage")
    index = Index(genimage.parent / "index")
    items = splits.pool(dataset, genimage, dataset.find(genimage)["biggan"], "test", index, Progress()).items
    assert len(items) == 13
    broken = [i for i in items if i.status != "ok"]
    assert [i.path.name for i in broken] == ["broken.png"]
    assert "cannot be decoded" in broken[0].reason
    real = next(i for i in items if i.label == 0)
    assert (real.container, real.height, real.class_name[:1]) == ("jpeg", 32, "n")


def test_a_second_scan_opens_nothing_and_a_changed_file_is_seen(genimage, monkeypatch):
    paths = sorted(genimage.rglob("*.png"))
    first = list(Index(genimage / "index").scan(paths, Progress()))
    opened = []
    real_examine = splits.Index.scan.__globals__["examine"]
    monkeypatch.setitem(Index.scan.__globals__, "examine", lambda p: opened.append(p) or real_examine(p))
    index = Index(genimage / "index")
    assert list(index.scan(paths, Progress())) == first
    assert opened == []
    paths[0].write_bytes(paths[1].read_bytes())
    assert next(index.scan(paths, Progress()))["image_id"] == first[1]["image_id"]
    assert opened == [paths[0]]


def test_a_torn_last_line_of_the_index_is_read_over(genimage):
    paths = sorted(genimage.rglob("*.png"))
    first = list(Index(genimage / "index").scan(paths, Progress()))
    file = next((genimage / "index").iterdir())
    file.write_text(file.read_text()[:-40])
    assert list(Index(genimage / "index").scan(paths, Progress())) == first
    # The line that was added stands after the torn one; the next scan reads that file once more, and no other.
    assert list(Index(genimage / "index").scan(paths, Progress())) == first
    assert list(Index(genimage / "index").scan(paths[::-1], Progress())) == first[::-1]


def test_an_empty_class_is_refused_with_its_folder(genimage):
    for path in (genimage / "BigGAN" / "imagenet_ai_0419_biggan" / "val" / "nature").iterdir():
        path.unlink()
    dataset = discover.dataset("genimage")
    with pytest.raises(UserError, match="no real images") as caught:
        splits.check_classes(dataset, "biggan", dataset.find(genimage)["biggan"], "test")
    assert "nature" in caught.value.context


def test_a_photograph_with_two_labels_is_quarantined_in_both(genimage):
    home = genimage / "BigGAN" / "imagenet_ai_0419_biggan" / "val"
    twin = sorted((home / "nature").iterdir())[0]
    (home / "ai" / "twin.JPEG").write_bytes(twin.read_bytes())
    dataset = discover.dataset("genimage")
    found = splits.pool(dataset, genimage, dataset.find(genimage)["biggan"], "test", Index(genimage / "i"), Progress())
    reasons = splits.contradictions([found.items])
    kept = splits.without_contradictions(found.items, reasons)
    bad = [i for i in kept if i.status != "ok"]
    assert sorted(i.label for i in bad) == [0, 1]
    assert {i.status for i in bad} == {"contradiction"}
    assert all(str(twin) in i.reason and "twin.JPEG" in i.reason for i in bad)
    assert splits.contradictions([[i for i in found.items if i.label == 0]]) == {}


def test_letter_case_of_folders_does_not_matter(tmp_path):
    make_genimage(tmp_path, "BigGAN", "imagenet_ai_0419_biggan", count=2)
    home = tmp_path / "BigGAN" / "imagenet_ai_0419_biggan"
    for split in ("train", "val"):
        (home / split / "ai").rename(home / split / "AI")
        (home / split / "nature").rename(home / split / "Nature")
    (home / "val").rename(home / "VAL")
    found = discover.dataset("genimage").find(tmp_path)["biggan"]
    assert {split: sorted(classes) for split, classes in found.items()} == {"train": [0, 1], "test": [0, 1]}


def test_unknown_generators_become_subsets(tmp_path):
    dataset = discover.dataset("genimage")
    make_genimage(tmp_path, count=2)
    make_genimage(tmp_path, "flux_dev", "", count=2)
    make_genimage(tmp_path, "SDXL-base-1.0", "some inner", count=2)
    found = dataset.find(tmp_path)
    assert set(found) == {"sdv14", "flux_dev", "sdxl-base-1.0"}
    assert [s.name for s in dataset.ordered(found)] == ["sdv14", "flux_dev", "sdxl-base-1.0"]
    assert dataset.subset("flux_dev").family != dataset.subset("sdxl-base-1.0").family
    assert dataset.own_name(tmp_path / "My, model+x") == "my_model_x"
    assert dataset.own_name(tmp_path / "生成") == "生成"
    assert dataset.own_name(tmp_path / "SDXL [a]", {"sdxl_a", "sdxl_a_2"}) == "sdxl_a_3"


def test_unused_folders_are_listed(tmp_path):
    make_genimage(tmp_path, count=2)
    (tmp_path / "flat").mkdir()
    (tmp_path / ".git").mkdir()
    folders = discover.dataset("genimage").find(tmp_path)
    assert unused_folders(tmp_path, folders.values()) == [tmp_path / "flat"]
