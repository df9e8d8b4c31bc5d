import importlib.util

import pytest

from tests.conftest import ROOT


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The script as a module, pointed at an empty folder, with every command recorded instead of run."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "lock.sha256")
    module.ran = []

    def record(*command):
        (tmp_path / ".venv").mkdir(exist_ok=True)
        module.ran.append([str(word) for word in command])

    monkeypatch.setattr(module, "run", record)
    return module


def test_uv_on_the_machine_is_used_and_the_second_call_does_nothing(environment, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: "uv")
    environment.main()
    assert [command[:2] for command in environment.ran] == [["uv", "venv"], ["uv", "pip"]]
    assert "--require-hashes" in environment.ran[1]
    environment.main()
    assert len(environment.ran) == 2


def test_without_uv_it_comes_from_its_own_hashed_lock(environment, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    environment.main()
    assert environment.ran[0][1:3] == ["-m", "venv"]
    assert "--require-hashes" in environment.ran[1]
    assert environment.ran[1][-1].endswith("requirements-uv.lock")
    assert environment.ran[2][0].endswith("bin/uv")


def test_a_changed_lock_makes_the_environment_again(environment, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: "uv")
    environment.main()
    environment.STAMP.write_text("another lock")
    environment.main()
    assert len(environment.ran) == 4


def test_a_python_without_ensurepip_gets_one_clear_message(environment, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="python3-venv"):
        environment.main()
    assert environment.ran == []


def test_another_resolution_is_installed_instead_of_the_lock(environment, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: "uv")
    environment.main()
    monkeypatch.setattr(environment, "RESOLUTION", "lowest-direct")
    environment.main()
    assert environment.ran[-1][-5:-1] == ["--resolution", "lowest-direct", "--all-extras", "-r"]
    assert environment.ran[-1][-1].endswith("pyproject.toml")
