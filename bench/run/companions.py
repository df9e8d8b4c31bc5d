"""Weights that a person names by role on the command line: ``--weights ROLE=FOLDER`` or ``ROLE=FILE``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bench.errors import UserError, unknown
from bench.models.catalogue import MODELS
from bench.models.zoo import files_of

#: A role whose files are among these is one network: its authors' single file is enough.
_ONE_FILE = {"config.json", "model.safetensors", "256x256_diffusion_uncond.pt"}


def own_weights(asked: Sequence[str], store: Path) -> dict[str, Path]:
    """Folders by role from ``ROLE=FOLDER`` and ``ROLE=FILE`` words; a file's tensors are put into one below ``store``.

    Raises UserError for an unknown role, a path that is not there, and a file where one alone is not enough.
    """
    found = {}
    for word in asked:
        role, _, place = word.partition("=")
        if not place:
            raise UserError(
                f"--weights {word} names no folder.",
                f"Roles: {', '.join(MODELS)}.",
                "Write --weights ROLE=FOLDER, or ROLE=FILE.",
            )
        if role not in MODELS:
            raise unknown("model role", role, MODELS)
        path = Path(place)
        if not path.exists():
            raise UserError(
                f"--weights {word}: {place} does not exist.",
                f"Looked at {path.absolute()}.",
                "Name a folder or a file.",
            )
        found[role] = _folder_of(role, path, store) if path.is_file() else path
        _check_readable(role, found[role])
    return found


def _check_readable(role: str, folder: Path) -> None:
    """Raise UserError for a file of tensors that is broken, before anything is computed with the others."""
    from safetensors import SafetensorError, safe_open

    for path in files_of(folder, MODELS[role].files):
        if path.suffix == ".safetensors":
            try:
                with safe_open(path, "numpy"):
                    pass
            except (SafetensorError, OSError) as error:
                raise UserError(
                    f"--weights {role}: {path} is no file of tensors.", f"{error}.", "Fetch or copy it again."
                ) from error


def _folder_of(role: str, path: Path, store: Path) -> Path:
    """A folder with the tensors of one published file; made once for each content."""
    files = MODELS[role].files
    if not set(files) <= _ONE_FILE:
        raise UserError(
            f"--weights {role}={path} is one file.",
            f"{MODELS[role].title} takes several: {', '.join(files)}.",
            "Put them into one folder and name that.",
        )
    with path.open("rb") as file:
        folder = store / "weights" / f"{role}-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    if not (folder / "model.safetensors").exists():
        from safetensors.torch import save_file

        from bench.kit.checkpoint import read

        # Cloned, for one tensor may stand under many names, as CycleISP's activation does.
        tensors = {name: tensor.clone().contiguous() for name, tensor in read(path).items()}
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "model.part"
        save_file(tensors, partial)
        partial.replace(folder / "model.safetensors")
    return folder
