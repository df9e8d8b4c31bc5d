"""The commands that make the world again and write its page."""

import os
import subprocess
import sys
from pathlib import Path

from tools.miniature.build import BUILDERS

ROOT = Path(__file__).parents[4]


def call(*words, cwd):
    """What a command prints, run from a folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_of_the_world_is_current(tmp_path):
    """`python -m tools.miniature.build page` writes the committed page and one picture per subset."""
    (tmp_path / "docs").mkdir()
    call(sys.executable, "-m", "tools.miniature.build", "page", cwd=tmp_path)
    written = sorted(path.name for path in (tmp_path / "docs").iterdir())
    assert (tmp_path / "docs" / "miniature.md").read_text() == (ROOT / "docs" / "miniature.md").read_text()
    assert written == sorted(path.name for path in (ROOT / "docs").glob("miniature*"))


def test_make_world_builds_everything(tmp_path):
    """What `make world` would run is a command that exists and knows every builder."""
    line = call("make", "-n", "world", cwd=ROOT)
    assert "-m tools.miniature.build all" in line
    text = "".join(call(sys.executable, "-m", "tools.miniature.build", "--help", cwd=tmp_path).split())
    assert all(name in text for name in BUILDERS)
