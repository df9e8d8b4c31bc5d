from dataclasses import replace
from hashlib import sha256

import pytest
from PIL import Image

from bench import discover
from bench.data import splits
from bench.data.dataset import unused_folders
from bench.data.index import Index
from bench.errors import UserError
from bench.progress import Progress
from bench.types import Item, Slice
from tests.conftest import item, make_genimage, scene

POOL = [item(i, label) for i in range(50) for label in (0, 1)]
LIMITS = splits.Limits(20, None)


def part(role, items, name="sdv14"):
    return Slice("genimage", name, role, tuple(items))


def rows(items):
    return {i.row_id for i in items}


def test_train_and_val_are_disjoint_and_cover_the_folder():
    train, val = splits.divided(POOL, splits.Limits(None, None))
    assert rows(train) & rows(val) == set()
    assert rows(train) | rows(val) == rows(POOL)
    assert [sum(i.label == label for i in val) for label in (0, 1)] == [5, 5]


def test_nothing_is_read_before_it_is_drawn():
    unread = [Item(i.row_id, i.path, i.label) for i in POOL]
    for read, bare in zip(splits.divided(POOL, LIMITS), splits.divided(unread, LIMITS), strict=True):
        assert [i.row_id for i in read] == [i.row_id for i in bare]


def test_the_split_does_not_move_with_the_seed_but_the_draw_does():
    first = splits.divided(POOL, LIMITS)
    second = splits.divided(POOL, replace(LIMITS, seed=1))
    everything = splits.divided(POOL, splits.Limits(None, None))[1]
    assert rows(first[1]) <= rows(everything)
    assert rows(first[0]) != rows(second[0])
    assert rows(first[0]) & rows(everything) == set()


def test_smaller_draws_nest():
    draws = [splits.drawn(POOL, 0, n) for n in (5, 10, 40)]
    assert rows(draws[0]) < rows(draws[1]) < rows(draws[2])
    assert [sum(i.label == label for i in draws[0]) for label in (0, 1)] == [5, 5]


def test_the_draw_is_that_of_its_hash():
    expected = sorted((i for i in POOL if i.label == 1), key=lambda i: sha256(f"3 {i.path.name}".encode()).hexdigest())
    assert [i.row_id for i in splits.drawn(POOL, 3, 4) if i.label == 1] == [i.row_id for i in expected[:4]]


def test_the_draw_does_not_depend_on_folders():
    moved = [replace(i, path=i.path.parent / "elsewhere" / i.path.name, row_id=i.row_id[::-1]) for i in POOL]
    for kept, other in zip(splits.divided(POOL, LIMITS), splits.divided(moved, LIMITS), strict=True):
        assert [i.path.name for i in kept] == [i.path.name for i in other]


def test_an_image_of_another_slice_is_quarantined():
    train = part("train", POOL)
    shared = train.items[3]
    kept = splits.without_copies(train, [part("test", [replace(shared, row_id="other")], "adm")])
    assert shared.row_id not in rows(kept.usable)
    assert [i.reason for i in kept.items if i.status == "leak"] == ["also in genimage-adm-test"]


def test_a_copy_that_was_encoded_again_or_resized_is_quarantined_and_named(tmp_path):
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
    for seed in range(4):
        Image.fromarray(scene(seed)).save(tmp_path / "train" / f"{seed}.png")
    Image.fromarray(scene(2)).resize((60, 45)).save(tmp_path / "test" / "small.jpg", quality=75)
    items = {
        name: splits.read(
            (Item(f"{name}{n}", path, 0) for n, path in enumerate(sorted((tmp_path / name).iterdir()))),
            Index(tmp_path / "index"),
            Progress(),
        )
        for name in ("train", "test")
    }
    kept = splits.without_copies(part("train", items["train"]), [part("test", items["test"])])
    (leak,) = [i for i in kept.items if i.status != "ok"]
    assert (leak.path.name, leak.status) == ("2.png", "leak")
    assert leak.reason.startswith("a copy of ")
    assert leak.reason.endswith("small.jpg in genimage-sdv14-test")


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
    items = splits.read(
        splits.pool(dataset, genimage, dataset.find(genimage)["biggan"], "test").items, index, Progress()
    )
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
    real_examine = Index.scan.__globals__["examine"]
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
    listed = splits.pool(dataset, genimage, dataset.find(genimage)["biggan"], "test").items
    found = splits.read(listed, Index(genimage / "i"), Progress())
    reasons = splits.contradictions([found])
    kept = splits.without_contradictions(found, reasons)
    bad = [i for i in kept if i.status != "ok"]
    assert sorted(i.label for i in bad) == [0, 1]
    assert {i.status for i in bad} == {"contradiction"}
    assert all(str(twin) in i.reason and "twin.JPEG" in i.reason for i in bad)
    assert splits.contradictions([[i for i in found if i.label == 0]]) == {}


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


def test_a_fake_made_from_a_photograph_of_the_folder_is_no_copy_within_it():
    real, fake = item(1, 0, perceptual="ab" * 35), item(2, 1, perceptual="ab" * 35)
    train, val = part("train", [real]), part("val", [fake])
    assert splits.without_copies(val, [train], same_label=True) == val
    assert [i.status for i in splits.without_copies(val, [train]).items] == ["leak"]
    twin = part("val", [item(3, 0, perceptual="ab" * 35)])
    assert [i.status for i in splits.without_copies(twin, [train], same_label=True).items] == ["leak"]
