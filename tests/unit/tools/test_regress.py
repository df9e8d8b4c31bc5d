import pytest

from bench.errors import UserError
from tools import regress

CELL = ("dire", "", "sdv14", "aligned", "0", "genimage", "adm", "aligned")
OTHER = ("lnp", "", "sdv14", "aligned", "0", "genimage", "adm", "aligned")


def test_only_what_moved_beyond_the_tolerance_is_told():
    golden = {CELL: 0.80, OTHER: 0.50}
    assert regress.differences(golden, {CELL: 0.84, OTHER: 0.46}, 0.05) == []
    (line,) = regress.differences(golden, {CELL: 0.86, OTHER: 0.5}, 0.05)
    assert line == "dire sdv14 aligned 0 genimage adm aligned: AUC 0.800 before, 0.860 now"


def test_missing_new_and_holes_are_told():
    assert regress.differences({CELL: 0.8}, {}, 1)[0].endswith("missing now")
    assert regress.differences({}, {CELL: 0.8}, 1)[0].endswith("new")
    assert regress.differences({CELL: 0.8}, {CELL: None}, 1)[0].endswith("a hole now")
    assert regress.differences({CELL: None}, {CELL: None}, 1) == []


def test_what_is_kept_is_read_back(tmp_path):
    found = {CELL: 0.8123456, OTHER: None}
    regress.write(tmp_path / "a.csv", found)
    assert regress.read(tmp_path / "a.csv") == {CELL: pytest.approx(0.812346), OTHER: None}
    with pytest.raises(UserError, match="does not exist"):
        regress.read(tmp_path / "b.csv")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--tolerance", "nan"], "not a difference of AUC"),
        (["--tolerance", "-1"], "not a difference of AUC"),
        (["--write", "--", "--data", "x"], "--golden"),
        (["--write", "--golden", "/nowhere/at/all.csv"], "not a writable file"),
    ],
)
def test_bad_uses_are_refused_before_anything_runs(capsys, monkeypatch, words, told):
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(SystemExit) as caught:
        regress.main(words)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def test_another_table_is_no_golden_file(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="contains no stored values"):
        regress.read(tmp_path / "other.csv")
