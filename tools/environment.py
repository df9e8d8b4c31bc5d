"""Make ``.venv`` from the hashed lock; does nothing if it is already there. Needs a bare Python >= 3.11 alone."""

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
    """End with one message."""
    sys.exit(f"make venv: {message}")


def run(*command: str | Path) -> None:
    """Run a command; end with its name if it fails."""
    if subprocess.run([str(word) for word in command], check=False).returncode:
        stop(f"this command failed (its own message is above): {' '.join(map(str, command))}")


def wanted() -> str:
    """What the environment must have been made from: the lock, or a resolution of pyproject.toml, and the Python."""
    source = (RESOLUTION.encode() + PROJECT.read_bytes()) if RESOLUTION else LOCK.read_bytes()
    return hashlib.sha256(source + sys.version.encode()).hexdigest()


def packages() -> list[str | Path]:
    """What is installed: the lock's versions, or those of ``RESOLUTION`` (lowest-direct, highest) if it is set."""
    if RESOLUTION:
        return ["--resolution", RESOLUTION, "--all-extras", "-r", PROJECT]
    return ["--require-hashes", "-r", LOCK]


def uv_command() -> Path:
    """The uv on this machine, or one installed into the new environment from its own hashed lock."""
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
    """Make the environment unless its stamp says it is current."""
    if sys.version_info < (3, 11):
        stop(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; name another with PYTHON=python3.12")
    if STAMP.exists() and STAMP.read_text(encoding="ascii") == wanted():
        return
    uv = uv_command()
    # Where Python may not keep its bytecode, every start would compile torch and its relatives again: seconds each.
    compiled = ["--compile-bytecode"] if os.environ.get("PYTHONDONTWRITEBYTECODE") else []
    run(uv, "pip", "install", "--quiet", "--python", PYTHON, *compiled, *packages())
    STAMP.write_text(wanted(), encoding="ascii")


if __name__ == "__main__":
    main()
