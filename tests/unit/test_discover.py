"""Plugins are found by entry point and by file; a broken one costs itself."""

import sys
from importlib.metadata import EntryPoint

import pytest

from bench import discover
from bench.errors import UserError
from methods import hf_energy

METHOD = "from methods.hf_energy import METHOD as Base\n\n\nclass Mine(Base):\n    pass\n\n\nMETHOD = Mine\n"


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """Registries that are empty before and after."""
    for kind in discover._KINDS:
        kind.plugins.clear()
    monkeypatch.setattr(discover, "_files", [])
    monkeypatch.setattr(discover, "_broken", [])
    yield
    for kind in discover._KINDS:
        kind.plugins.clear()
    for name in [name for name in sys.modules if name.startswith("reconbench_plugin_")]:
        del sys.modules[name]


def test_a_file_adds_a_method_of_its_name(tmp_path):
    file = tmp_path / "my_method.py"
    file.write_text(METHOD)
    assert discover.load_plugins([file]) == []
    assert "my_method" in discover.methods()
    assert issubclass(discover.method("my_method"), hf_energy.METHOD)
    assert discover.plugin_files() == (file,)


def test_a_folder_adds_every_file_but_private_ones_which_it_may_import(tmp_path):
    (tmp_path / "_helper_of_two.py").write_text(METHOD)
    (tmp_path / "one.py").write_text("from _helper_of_two import METHOD\n")
    (tmp_path / "two.py").write_text("from _helper_of_two import METHOD\n")
    assert discover.load_plugins([tmp_path]) == []
    assert {"one", "two"} <= set(discover.methods())


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("raises", "raise ValueError('oops')", "ValueError: oops"),
        ("exits", "import no_such_package", "No module named 'no_such_package'"),
        ("empty", "", "defines none of METHOD, ENGINE, DATASET"),
        ("wrong", "METHOD = 3", "METHOD is not of type Method"),
        ("gramnet", METHOD, "there is a built-in method of that name"),
        ("syntax", "def", "SyntaxError"),
    ],
)
def test_a_broken_plugin_is_named_and_the_others_are_loaded(tmp_path, name, text, reason):
    (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "zz_sound.py").write_text(METHOD)
    (message,) = discover.load_plugins([tmp_path])
    assert f"{name}.py is not used: " in message
    assert reason in message
    assert "zz_sound" in discover.methods()
    assert discover.plugin_files() == (tmp_path / "zz_sound.py",)


def test_entry_points_of_installed_packages_are_found(monkeypatch):
    group = "reconbench.methods"
    entries = [EntryPoint("theirs", "methods.hf_energy:METHOD", group), EntryPoint("gone", "no_such:METHOD", group)]
    monkeypatch.setattr(discover, "entry_points", lambda group: [e for e in entries if e.group == group])
    discover._load_entry_points.cache_clear()
    messages = discover.load_plugins([])
    assert discover.method("theirs") is hf_energy.METHOD
    (message,) = messages
    assert "the method gone of the installed package" in message
    discover._load_entry_points.cache_clear()


def test_an_unknown_name_proposes_a_plugin_too(tmp_path):
    (tmp_path / "my_method.py").write_text(METHOD)
    discover.load_plugins([tmp_path])
    with pytest.raises(UserError, match="There is no method 'my_methd'") as caught:
        discover.method("my_methd")
    assert "Did you mean 'my_method'?" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        (
            "from bench.detector import Statistic\n\n\nclass Bare(Statistic):\n    pass\n\n\nMETHOD = Bare\n",
            "METHOD has no card, Params",
        ),
    ],
)
def test_a_plugin_that_exits_or_is_incomplete_is_named(tmp_path, text, reason):
    (tmp_path / "theirs.py").write_text(text)
    (message,) = discover.load_plugins([tmp_path / "theirs.py"])
    assert reason in message
    assert "theirs" not in discover.methods()


def test_a_file_is_registered_whole_or_not_at_all(tmp_path):
    (tmp_path / "lpips.py").write_text(METHOD + "from bench.artefacts.engines.lpips import ENGINE  # noqa: E402\n")
    (message,) = discover.load_plugins([tmp_path])
    assert "there is a built-in engine of that name" in message
    assert "lpips" not in discover.methods()


def test_two_files_of_one_name_are_not_mixed_up(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text(METHOD)
    (message,) = discover.load_plugins([tmp_path / "a", tmp_path / "b"])
    assert f"{tmp_path / 'b' / 'same.py'} is not used" in message
    assert "another plugin file has that name" in message


def test_an_empty_folder_is_named(tmp_path):
    assert discover.load_plugins([tmp_path]) == [f"the plugin folder {tmp_path} contains no Python files"]
