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
        ("wrong", "METHOD = 3", "METHOD is not a Method"),
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
