"""What a results folder says of the code that made it."""

import shutil
import subprocess

import pytest

from bench.execution import provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one commit, where this module seems to lie."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    module = tmp_path / "bench" / "execution" / "provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("one\n", encoding="utf-8")
    monkeypatch.setattr(provenance, "__file__", str(module))

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    return module, git


def test_the_commit_says_whether_files_were_changed_since(checkout):
    module, git = checkout
    head = git("rev-parse", "HEAD").strip()
    assert provenance._git_commit() == head
    git("tag", "-a", "v1", "-m", "a tag is no commit")
    (module.parent / "notes.txt").write_text("not tracked\n", encoding="utf-8")
    assert provenance._git_commit() == head
    module.write_text("two\n", encoding="utf-8")
    assert provenance._git_commit() == f"{head}-dirty"


def test_outside_a_checkout_or_without_git_it_is_unknown(checkout, monkeypatch, tmp_path):
    def missing(*words, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(provenance.subprocess, "run", missing)
    assert provenance._git_commit() == "unknown"
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "a" / "b" / "c" / "provenance.py"))
    assert provenance._git_commit() == "unknown"
