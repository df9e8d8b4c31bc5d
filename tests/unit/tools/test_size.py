from tools import size


def test_rooms_are_counted_and_summed(tmp_path):
    (tmp_path / "bench" / "data").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "bench" / "data" / "a.py").write_text(
        "def f():\n    return 1\n\n\nasync def g():\n    x = 1\n    return x\n"
    )
    (tmp_path / "bench" / "b.py").write_text("X = 1\n")
    (tmp_path / "tests" / "c.py").write_text("def test():\n    pass\n")
    rows = {row[0]: row[1:] for row in size.table(tmp_path)}
    assert rows["bench/data"] == [1, 7, 2, 2, 3]
    assert rows["bench"] == [1, 1, 0, 0, 0]
    assert rows["all but tests"] == [2, 8, 2, 2, 3]


def test_the_command_prints_a_table(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["size"])
    size.main()
    assert "bench/artefacts" in capsys.readouterr().out
