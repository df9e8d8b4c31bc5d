from bench.data.corpora.forensynths import CORPUS
from bench.types import FAKE, REAL


def make(root, *folders):
    for folder in folders:
        for kind in ("0_real", "1_fake"):
            (root / folder / kind).mkdir(parents=True)
    return root


def test_flat_and_nested_subsets_are_found_under_their_own_names(tmp_path):
    make(tmp_path, "progan/cat", "progan/dog", "seeingdark", "CRN")
    found = CORPUS.find(tmp_path)
    assert set(found) == {"progan", "sitd", "crn"}
    assert [p.relative_to(tmp_path).as_posix() for p in found["progan"]["test"][FAKE]] == [
        "progan/cat/1_fake",
        "progan/dog/1_fake",
    ]
    assert list(found["sitd"]) == ["test"]
    assert found["sitd"]["test"][REAL] == (tmp_path / "seeingdark" / "0_real",)


def test_a_wrapping_folder_is_looked_into(tmp_path):
    make(tmp_path / "test", "stylegan2/car", "deepfake")
    assert set(CORPUS.find(tmp_path)) == {"stylegan2", "deepfake"}


def test_the_class_is_the_nested_folder(tmp_path):
    assert CORPUS.klass(tmp_path / "progan" / "cat" / "1_fake" / "2013-08-22 00:47:11_fake.png") == "cat"
    assert CORPUS.klass(tmp_path / "crn" / "0_real" / "x.png") == ""


def test_eleven_subsets_come_first_as_in_the_papers():
    names = [subset.name for subset in CORPUS.subsets]
    assert len(names) == 13
    assert names[11:] == ["stylegan2", "whichfaceisreal"]
