"""Make ``.venv`` from the hashed lock file, unless it is up to date. Needs only Python >= 3.11 without packages."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENV, LOCK, UV_LOCK = HERE / ".venv", HERE / "requirements.lock", HERE / "requirements-uv.lock"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "lock.sha256"
PROJECT, RESOLUTION = HERE / "pyproject.toml", os.environ.get("RESOLUTION", "")


def stop(message: str) -> None:
    """Exit with one message."""
    sys.exit(f"make venv: {message}")


def run(*command: str | Path) -> None:
    """Run a command; if it fails, exit with a message that shows it."""
    if subprocess.run([str(word) for word in command], check=False).returncode:
        stop(f"this command failed (its own message is above): {' '.join(map(str, command))}")


def wanted() -> str:
    """A hash of the environment's inputs: the Python version, and the lock file or pyproject.toml and RESOLUTION."""
    source = (RESOLUTION.encode() + PROJECT.read_bytes()) if RESOLUTION else LOCK.read_bytes()
    return hashlib.sha256(source + sys.version.encode()).hexdigest()


def packages() -> list[str | Path]:
    """What to install: the lock file's versions, or those of ``RESOLUTION`` (lowest-direct, highest) if it is set."""
    if RESOLUTION:
        return ["--resolution", RESOLUTION, "--all-extras", "-r", PROJECT]
    return ["--require-hashes", "-r", LOCK]


def uv_command() -> Path:
    """Create the environment; returns this machine's uv, or one installed into it from uv's own lock file."""
    present = shutil.which("uv")
    if present:
        run(present, "venv", "--quiet", "--clear", "--python", sys.executable, VENV)
        return Path(present)
    if importlib.util.find_spec("ensurepip") is None:
        stop(
            "this Python has no ensurepip, so it cannot make an environment with pip.\n"
            "  Install your system's package for it (Debian and Ubuntu: python3-venv), or install uv;\n"
            "  then run the same command again."
        )
    run(sys.executable, "-m", "venv", "--clear", VENV)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", UV_LOCK)
    return VENV / "bin" / "uv"


def main() -> None:
    """Make the environment unless its stamp shows that it is up to date."""
    if sys.version_info < (3, 11):
        stop(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; name another with PYTHON=python3.12")
    if STAMP.exists() and STAMP.read_text(encoding="ascii") == wanted():
        return
    uv = uv_command()
    # If Python may not write bytecode, every start compiles torch and its dependencies again, which takes seconds.
    compiled = ["--compile-bytecode"] if os.environ.get("PYTHONDONTWRITEBYTECODE") else []
    run(uv, "pip", "install", "--quiet", "--python", PYTHON, *compiled, *packages())
    STAMP.write_text(wanted(), encoding="ascii")


if __name__ == "__main__":
    main()
