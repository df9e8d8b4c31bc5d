"""The miniature's weights: committed in compressed form, unpacked once per version into the published formats."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.errors import BenchError

WEIGHTS = Path(__file__).parents[1] / "miniature" / "weights"
#: Endings of committed weights: PACKED is a compressed file; SAME names another model's file with the same bytes, and
#: their hash. RECORD is used by the builders only.
PACKED, SAME, RECORD = ".xz", ".same", "quality.json"


def version(folder: Path, files: list[Path]) -> str:
    """A name for the content of ``files`` in ``folder``: 16 hex digits."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def build_atomically(home: Path, fill: Callable[[Path], None]) -> Path:
    """``home``, filled if it does not exist: completely or not at all, even if two processes do so at the same time."""
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="part-", dir=home.parent))
    try:
        fill(partial)
        partial.chmod(0o755)
        partial.rename(home)
    except OSError:
        if not home.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return home


def unpack_weights(store: Path) -> Path:
    """The folder below ``store`` with one sub-folder per miniature model, in the formats of the published models.

    Raises BenchError if two files that should be the same differ.
    """
    files = sorted(path for path in WEIGHTS.rglob("*") if path.is_file() and path.name != RECORD)

    def fill(partial: Path) -> None:
        copies: list[tuple[str, str, Path]] = []
        for path in files:
            target = partial / path.relative_to(WEIGHTS)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == PACKED:
                target.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
            elif path.suffix == SAME:
                source, digest = path.read_text(encoding="utf-8").split()
                copies.append((source, digest, target.with_suffix("")))
            else:
                shutil.copyfile(path, target)
        for source, digest, target in copies:
            shutil.copyfile(partial / source, target)
            if hashlib.sha256(target.read_bytes()).hexdigest() != digest:
                raise BenchError(
                    f"{target.relative_to(partial)} should be the same as {source}, which has changed.",
                    "The committed weights are inconsistent.",
                    f"Build {target.relative_to(partial).parts[0]} again, or restore the folder of the weights.",
                )

    return build_atomically(store / "miniature" / f"weights-{version(WEIGHTS, files)}", fill)
