"""Weights that a person names by role on the command line: ``--weights ROLE=FOLDER`` or ``ROLE=FILE``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bench.errors import UserError, unknown
from bench.models.catalogue import MODELS
from bench.models.embedded import whole
from bench.models.zoo import Zoo, files_of

#: CLIPs that their users fine-tuned and saved in OpenAI's layout: DE-FAKE's ``finetune_clip.pt``.
_CLIPS = ("clip_vit_b32", "clip_vit_l14")


def own_weights(asked: Sequence[str], store: Path, models: str = "hub", trust_pickle: bool = False) -> dict[str, Path]:
    """Folders by role from ``ROLE=FOLDER`` and ``ROLE=FILE`` words; a file's tensors are put into one below ``store``.

    A CLIP's file in OpenAI's layout gets tokenizer and configuration from those of ``models``. Raises UserError for an
    unknown role, a path that is not there, a file where one alone is not enough, and a pickled module unless
    ``trust_pickle``.
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
        if path.is_file() and role in _CLIPS:
            found[role] = _clip_folder(role, path, store, Zoo(models, store=store), trust_pickle)
        else:
            found[role] = _folder_of(role, path, store, trust_pickle) if path.is_file() else path
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


def _place(role: str, path: Path, store: Path) -> Path:
    with path.open("rb") as file:
        return store / "weights" / f"{role}-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def _clip_folder(role: str, path: Path, store: Path, zoo: Zoo, trust_pickle: bool) -> Path:
    """A folder in the Hub's format with the tensors of one CLIP in OpenAI's layout; made once for each content."""

    def fill(partial: Path) -> None:
        from bench.kit.checkpoint import read
        from bench.nets.clip import save_beside, to_transformers

        try:
            found = to_transformers(read(path, trust_pickle))
        except KeyError as error:
            raise UserError(
                f"--weights {role}={path} is no CLIP in OpenAI's layout.",
                f"It has no {error.args[0]}.",
                f"Name a folder with {', '.join(MODELS[role].files)}.",
            ) from error
        wrong = save_beside(found, zoo.folder(role), partial)
        if wrong:
            raise UserError(
                f"--weights {role}={path} is no {MODELS[role].title}.",
                f"Missing, not wanted or misshapen: {', '.join(wrong[:6])}.",
                "Name a file of that network.",
            )

    return whole(_place(role, path, store), fill)


def _folder_of(role: str, path: Path, store: Path, trust_pickle: bool) -> Path:
    """A folder with the tensors of one published file; made once for each content."""
    if not MODELS[role].one_file:
        raise UserError(
            f"--weights {role}={path} is one file.",
            f"{MODELS[role].title} takes several: {', '.join(MODELS[role].files)}.",
            "Put them into one folder and name that.",
        )

    def fill(partial: Path) -> None:
        from safetensors.torch import save_file

        from bench.kit.checkpoint import read

        # Cloned, for one tensor may stand under many names, as CycleISP's activation does.
        tensors = {name: tensor.clone().contiguous() for name, tensor in read(path, trust_pickle).items()}
        save_file(tensors, partial / "model.safetensors")

    return whole(_place(role, path, store), fill)
