from bench.data.datasets.forensynths import DATASET
from bench.types import FAKE, REAL


def make(root, *folders):
    for folder in folders:
        for kind in ("0_real", "1_fake"):
            (root / folder / kind).mkdir(parents=True)
    return root


def test_flat_and_nested_subsets_are_found_under_their_own_names(tmp_path):
    make(tmp_path, "progan/cat", "progan/dog", "seeingdark", "CRN")
    found = DATASET.find(tmp_path)
    assert set(found) == {"progan", "sitd", "crn"}
    assert [p.relative_to(tmp_path).as_posix() for p in found["progan"]["test"][FAKE]] == [
        "progan/cat/1_fake",
        "progan/dog/1_fake",
    ]
    assert list(found["sitd"]) == ["test"]
    assert found["sitd"]["test"][REAL] == (tmp_path / "seeingdark" / "0_real",)


def test_a_wrapping_folder_is_looked_into(tmp_path):
    make(tmp_path / "test", "stylegan2/car", "deepfake")
    assert set(DATASET.find(tmp_path)) == {"stylegan2", "deepfake"}


def test_the_class_is_the_nested_folder(tmp_path):
    assert DATASET.class_name(tmp_path / "progan" / "cat" / "1_fake" / "2013-08-22 00:47:11_fake.png") == "cat"
    assert DATASET.class_name(tmp_path / "crn" / "0_real" / "x.png") == ""


def test_eleven_subsets_come_first_as_in_the_papers():
    names = [subset.name for subset in DATASET.subsets]
    assert len(names) == 13
    assert names[11:] == ["stylegan2", "whichfaceisreal"]


def test_unknown_generators_and_letter_case(tmp_path):
    make(tmp_path, "ProGAN/cat", "kandinsky")
    (tmp_path / "CRN" / "0_Real").mkdir(parents=True)
    (tmp_path / "CRN" / "1_FAKE").mkdir()
    found = DATASET.find(tmp_path)
    assert set(found) == {"progan", "kandinsky", "crn"}
    assert found["crn"]["test"][FAKE] == (tmp_path / "CRN" / "1_FAKE",)


def test_a_wrapping_folder_may_hold_unknown_generators_too(tmp_path):
    make(tmp_path / "test", "stylegan2/car", "kandinsky")
    assert set(DATASET.find(tmp_path)) == {"stylegan2", "kandinsky"}


def test_linked_class_folders_are_found(tmp_path):
    make(tmp_path / "elsewhere", "cat")
    (tmp_path / "data" / "progan").mkdir(parents=True)
    (tmp_path / "data" / "progan" / "cat").symlink_to(tmp_path / "elsewhere" / "cat")
    found = DATASET.find(tmp_path / "data")
    assert found["progan"]["test"][REAL] == (tmp_path / "data" / "progan" / "cat" / "0_real",)


def test_other_splits_are_no_subsets(tmp_path):
    make(tmp_path, "train/airplane", "val/airplane", "test/progan/cat", "test/sdxl", "test/flux")
    assert set(DATASET.find(tmp_path)) == {"progan", "sdxl", "flux"}
